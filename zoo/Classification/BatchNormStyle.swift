import AviaryLayers

/// The constants of batch normalization that a set of weights was trained with: they differ between frameworks and papers.
public struct BatchNormStyle: Sendable, Hashable {
  /// ε, added to the variance under the root.
  public let epsilon: Float
  /// The share of the new batch in the running averages.
  public let momentum: Float
  /// Whether running averages are of the batch's biased or unbiased variance.
  public let variance: BatchNorm.RunningVariance
  /// False for networks whose normalization shifts only.
  public var hasScale = true

  /// PyTorch's defaults: ε 10⁻⁵, a share of 0.1, unbiased variances.
  public static let torch = BatchNormStyle(epsilon: 1e-5, momentum: 0.1, variance: .unbiased)

  /// Keras counts the kept share: its momentum 0.99 is 0.01 here.
  public static func keras(epsilon: Float = 1e-3, momentum: Float = 0.99) -> BatchNormStyle {
    BatchNormStyle(epsilon: epsilon, momentum: 1 - momentum, variance: .biased)
  }

  /// The same constants for normalization that shifts only.
  public var withoutScale: BatchNormStyle {
    var copy = self
    copy.hasScale = false
    return copy
  }

  func callAsFunction(_ channels: Int) -> BatchNorm {
    BatchNorm(channels, epsilon: epsilon, momentum: momentum, variance: variance, hasScale: hasScale)
  }
}
