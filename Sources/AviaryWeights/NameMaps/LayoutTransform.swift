import AviaryTensors

/// How a weight lies in Keras and how it lies here, with an exact way in both directions.
///
/// Letters: k spatial extents of a kernel, I input channels, O output channels, M depth multiplier, C×H×W what a flatten flattened.
public enum LayoutTransform: Hashable, Sendable {
  case identity
  /// k…×I×O ↔ O×I×k…
  case convolution
  /// k…×O×I ↔ I×O×k…, without a flip.
  case convolutionTranspose
  /// k…×C×M ↔ (C·M)×1×k…
  case depthwise(multiplier: Int)
  /// I×O ↔ O×I
  case dense
  /// (H·W·C)×O ↔ O×(C·H·W): Keras flattens channels last, we flatten channels first.
  case denseAfterFlatten(channels: Int, height: Int, width: Int)
  /// 1×1×I×O ↔ O×I: a 1×1 convolution that is a linear layer here.
  case pointwiseAsDense

  /// From their layout to ours. Throws ``WeightsError`` when the shape does not allow it.
  public func apply(_ tensor: Tensor) throws -> Tensor {
    let rank = tensor.rank
    switch self {
    case .identity: return tensor
    case .convolution, .convolutionTranspose:
      guard rank >= 3 else { throw unfit(tensor, "k×I×O, k×k×I×O or more axes") }
      return tensor.permuted([rank - 1, rank - 2] + Array(0..<(rank - 2)))
    case .depthwise(let multiplier):
      guard rank >= 3, tensor.shape[rank - 1] == multiplier else {
        throw unfit(tensor, "k×k×C×\(multiplier)")
      }
      let moved = tensor.permuted([rank - 2, rank - 1] + Array(0..<(rank - 2)))
      return moved.reshaped([moved.shape[0] * multiplier, 1] + moved.shape[2...])
    case .dense:
      guard rank == 2 else { throw unfit(tensor, "I×O") }
      return tensor.permuted([1, 0])
    case .denseAfterFlatten(let channels, let height, let width):
      guard rank == 2, tensor.shape[0] == channels * height * width else {
        throw unfit(tensor, "\(channels * height * width)×O")
      }
      let outputs = tensor.shape[1]
      return tensor.reshaped([height, width, channels, outputs]).permuted([3, 2, 0, 1])
        .reshaped([outputs, channels * height * width])
    case .pointwiseAsDense:
      guard rank == 4, tensor.shape[0] == 1, tensor.shape[1] == 1 else { throw unfit(tensor, "1×1×I×O") }
      return tensor.reshaped([tensor.shape[2], tensor.shape[3]]).permuted([1, 0])
    }
  }

  /// From our layout to theirs: undoes ``apply(_:)`` bit for bit. Throws ``WeightsError`` when the shape does not allow it.
  public func undo(_ tensor: Tensor) throws -> Tensor {
    let rank = tensor.rank
    switch self {
    case .identity: return tensor
    case .convolution, .convolutionTranspose:
      guard rank >= 3 else { throw unfit(tensor, "O×I×k, O×I×k×k or more axes") }
      return tensor.permuted(Array(2..<rank) + [1, 0])
    case .depthwise(let multiplier):
      guard rank >= 3, tensor.shape[1] == 1, multiplier > 0, tensor.shape[0] % multiplier == 0 else {
        throw unfit(tensor, "(C·\(multiplier))×1×k×k")
      }
      let split = tensor.reshaped([tensor.shape[0] / multiplier, multiplier] + tensor.shape[2...])
      return split.permuted(Array(2..<rank) + [0, 1])
    case .dense:
      guard rank == 2 else { throw unfit(tensor, "O×I") }
      return tensor.permuted([1, 0])
    case .denseAfterFlatten(let channels, let height, let width):
      guard rank == 2, tensor.shape[1] == channels * height * width else {
        throw unfit(tensor, "O×\(channels * height * width)")
      }
      let outputs = tensor.shape[0]
      return tensor.reshaped([outputs, channels, height, width]).permuted([2, 3, 1, 0])
        .reshaped([channels * height * width, outputs])
    case .pointwiseAsDense:
      guard rank == 2 else { throw unfit(tensor, "O×I") }
      return tensor.permuted([1, 0]).reshaped([1, 1, tensor.shape[1], tensor.shape[0]])
    }
  }

  private func unfit(_ tensor: Tensor, _ expected: String) -> WeightsError {
    WeightsError(.mismatched, "its shape is \(tensor.shape.shapeText), expected \(expected)")
  }
}
