import AviaryTensors

/// The two losses of Gatys, Ecker & Bethge with their derivatives, for the activations of one layer.
///
/// F are the activations, C×P: C channels at P positions, row by row.
enum GatysLoss {
  /// Activations 1×C×H×W as F.
  static func matrix(_ activations: Tensor) -> Tensor {
    activations.reshaped([activations.shape[1], -1])
  }

  /// F diag(m) Fᵀ, C×C: which channels are active together (equation 3), position p counting m_p times. Not yet divided by anything, so that
  /// those of pieces add up.
  ///
  /// - Parameter mask: m, 1×P; nil for ones.
  static func gram(_ features: Tensor, mask: Tensor? = nil) -> Tensor {
    (mask.map { features * $0 } ?? features).matmul(features.transposed())
  }

  /// mean((F − F̂)²) (equation 1, but a mean instead of half a sum).
  static func content(_ features: Tensor, _ target: Tensor) -> Tensor {
    (features - target).square().mean()
  }

  /// The derivative of ``content(_:_:)`` with respect to F, of `count` values altogether.
  static func contentGradient(_ features: Tensor, _ target: Tensor, count: Int) -> Tensor {
    (features - target) * (2 / Float(count))
  }

  /// mean((G − Ĝ)²) of Gram matrices that are divided by C and the positions (equation 4, but for the constant).
  static func style(_ gram: Tensor, _ target: Tensor) -> Tensor { (gram - target).square().mean() }

  /// The derivative of ``style(_:_:)`` with respect to F: 4 / (C²·n) · (G − Ĝ) F diag(m), where G = F diag(m) Fᵀ / n (equation 6).
  static func styleGradient(
    _ features: Tensor, _ gram: Tensor, _ target: Tensor, divisor: Float, mask: Tensor? = nil
  ) -> Tensor {
    let channels = Float(features.shape[0])
    let product = ((gram - target) * (4 / (channels * channels * divisor))).matmul(features)
    return mask.map { product * $0 } ?? product
  }

  /// Σ|differences of neighbours| of a picture N×C×H×W, to the right and downwards: total variation, which is small where it is smooth.
  static func variation(_ picture: Tensor) -> Tensor {
    neighbourDifferences(picture).reduce(Tensor(Float(0))) { $0 + $1.difference.abs().sum() }
  }

  /// The derivative of ``variation(_:)``, 0 between equal neighbours.
  static func variationGradient(_ picture: Tensor) -> Tensor {
    let zero = Tensor(Float(0))
    return neighbourDifferences(picture).reduce(.zeros(picture.shape)) { sum, step in
      let (axis, difference) = step
      let sign =
        (difference .> zero).cast(to: .float32) - (difference .< zero).cast(to: .float32)
      let one = (0..<4).map { $0 == axis ? 1 : 0 }
      let none = [0, 0, 0, 0]
      return sum + sign.padded(before: one, after: none) - sign.padded(before: none, after: one)
    }
  }

  private static func neighbourDifferences(_ picture: Tensor) -> [(axis: Int, difference: Tensor)] {
    [2, 3].filter { picture.shape[$0] > 1 }.map { axis in
      let extent = picture.shape[axis]
      return (axis, picture.sliced(axis, 1..<extent) - picture.sliced(axis, 0..<(extent - 1)))
    }
  }
}
