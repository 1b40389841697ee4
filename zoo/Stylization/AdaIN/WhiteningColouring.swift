import AviaryTensors

/// Whitening and colouring (Li et al. 2017, "Universal Style Transfer via Feature Transforms", arXiv:1705.08086, section 3.2): activations of
/// the content get the means and covariances of the style's, so that channels that belong together in the style do so in the result.
enum WhiteningColouring {
  /// Directions in which activations vary less are left out, as nothing is known of them.
  private static let least = 1e-5

  /// Activations 1×C×H×W with the means and covariances of others 1×C×h×w (equations 3 and 4).
  static func adapted(_ content: Tensor, to style: Tensor) -> Tensor {
    let (_, centred, covariance) = statistics(content)
    let (styleMean, _, styleCovariance) = statistics(style)
    let whitening = covariance.symmetricFunction { $0 > least ? 1 / $0.squareRoot() : 0 }
    let colouring = styleCovariance.symmetricFunction { $0 > least ? $0.squareRoot() : 0 }
    let both = (colouring * whitening).float32
    return (both.matmul(centred) + styleMean).reshaped(content.shape)
  }

  /// The mean C×1, what is left without it C×(H·W), and the covariance.
  private static func statistics(_ activations: Tensor) -> (Tensor, centred: Tensor, SquareMatrix) {
    let channels = activations.shape[1]
    let rows = activations.reshaped([channels, activations.count / channels])
    let mean = rows.mean([1], keepsAxes: true)
    let centred = rows - mean
    let products = centred.matmul(centred.permuted([1, 0])).values()
    let divisor = Double(max(rows.shape[1] - 1, 1))
    return (mean, centred, SquareMatrix(channels) { Double(products[$0 * channels + $1]) / divisor })
  }
}

extension SquareMatrix {
  fileprivate var float32: Tensor {
    Tensor((0..<size * size).map { Float(self[$0 / size, $0 % size]) }, shape: [size, size])
  }
}
