import AviaryLayers
import AviaryTensors

/// What a critic's slope is at some pictures, and what makes its penalty smaller.
struct CriticSlope {
  /// N×C×S×S with the classes' planes, where the slope was taken.
  let inputs: Tensor
  /// 2(‖g‖ − 1)·g/‖g‖ for the gradient g of each picture's score, over the batch: what the penalty's gradient is a derivative along.
  let direction: Tensor
  /// The mean of (‖g‖ − 1)².
  let penalty: Float
}

/// The gradient penalty of WGAN-GP (Gulrajani et al. 2017, equation 3) without a gradient of a gradient.
///
/// With g = ∇ₓD(x; θ), the gradient of (‖g‖ − 1)² with respect to θ is that of v·∇ₓD(x; θ) for the constant v = 2(‖g‖ − 1)·g/‖g‖: a derivative
/// of D along v. A critic of convolutions and leaky ReLUs carries such a derivative forward through the same layers, without biases and with the
/// slopes that its activations have at x. Those are constant but at single points, so the ordinary gradient of what arrives is exact.
extension DCGANDiscriminator {
  /// The slope at pictures N×C×S×S.
  func slope(at pictures: Tensor, _ labels: Tensor?) -> CriticSlope {
    let inputs = marked(pictures, labels)
    let channels = configuration.channels
    // Only the picture's own channels move.
    let rest = inputs.sliced(1, channels..<inputs.shape[1])
    let gradient = gradient(at: pictures) { moved in
      main(rest.shape[1] > 0 ? concatenate([moved, rest], axis: 1) : moved).sum()
    }
    let norms = gradient.square().sum([1, 2, 3], keepsAxes: true).squareRoot()  // N×1×1×1
    let excess = norms - 1
    let count = Float(pictures.shape[0])
    let direction = gradient * (excess * (2 / count) / maximum(norms, Tensor(Float(1e-12))))
    let padded =
      rest.shape[1] > 0 ? concatenate([direction, .zeros(rest.shape)], axis: 1) : direction
    return CriticSlope(inputs: inputs, direction: padded, penalty: excess.square().mean().item())
  }

  /// One element whose gradient with respect to the weights is that of the penalty; its value is another.
  func slopePenalty(_ slope: CriticSlope) -> Tensor {
    var (features, derivative) = (slope.inputs, slope.direction)
    for layer in main.layers {
      if layer is Activate {
        let isPositive = features.detached .> Tensor(Float(0))
        derivative = select(isPositive, derivative, derivative * Self.slope)
      } else {
        derivative = layer(derivative)
      }
      features = layer(features.detached)
    }
    return derivative.sum()
  }
}
