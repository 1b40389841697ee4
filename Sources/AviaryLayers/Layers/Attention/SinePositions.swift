import AviaryTensors

/// Positions of a picture's places as sines and cosines: those of Vaswani et al. 2017, section 3.5, for two axes (Carion et al. 2020,
/// appendix A.4; Parmar et al. 2018).
///
/// Rows are counted from 1 over what is picture, divided by their number and multiplied by 2π, so that the last one of any picture lies at 2π;
/// columns likewise. Half of the channels are for the row and half for the column, sines and cosines in turn, each pair of a longer wave.
///
/// - Parameters:
///   - mask: N×H×W, Boolean, true where there is padding and no picture.
///   - width: channels D of the result N×H×W×D.
public func sinePositions(hiding mask: Tensor, width: Int, temperature: Float = 10_000) -> Tensor {
  require(mask.rank == 3 && width > 0 && width % 4 == 0, "\(width) positions for \(mask.shape.shapeText)")
  let isPicture = 1 - mask.cast(to: .float32)
  let pairs = width / 4
  // The wave lengths of the pairs: 2π · temperature^(i / pairs).
  let lengths = Tensor(repeating: temperature, shape: [pairs])
    .power(Tensor.arange(pairs, step: 1 / Float(pairs)))
  let halves = [1, 2].map { axis -> Tensor in
    let counts = isPicture.cumulativeSum(axis)
    let last = counts.sliced(axis, (counts.shape[axis] - 1)..<counts.shape[axis])
    let angles = (counts / (last + 1e-6) * (2 * .pi)).expandedAxis(at: 3) / lengths  // N×H×W×D/4
    return stack([angles.sine(), angles.cosine()], axis: 4).flattened(from: 3)  // N×H×W×D/2
  }
  return concatenate(halves, axis: 3)
}
