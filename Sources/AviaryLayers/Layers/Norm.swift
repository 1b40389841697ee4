import AviaryTensors

/// Batch normalization of N×C×spatial (Ioffe & Szegedy 2015).
///
/// In training the batch's own statistics are used and running averages kept; in evaluation, and when the averages are frozen, the
/// running ones are used.
public final class BatchNorm: RectifiableLayer, ModeDependent {
  /// nil in networks without a scale, such as Keras' Inception v3.
  public let weight: Parameter?
  /// The shift β, C.
  public let bias: Parameter
  /// C; moves towards the batches' means while training.
  public let runningMean: Buffer
  /// C; moves towards the batches' variances while training, see ``variance``.
  public let runningVar: Buffer
  /// Added to the variance before the square root is taken.
  public let epsilon: Float
  /// The share of the new batch in the running averages.
  public let momentum: Float
  /// How the variance of a batch is counted in the running average; batches themselves are divided by n.
  public let variance: RunningVariance
  /// Whether the batch's own statistics are used, unless the running ones are frozen.
  public var isTraining = false

  /// Which variance the running average is of: frameworks disagree.
  public enum RunningVariance: String, Hashable, Sendable, Codable {
    /// Divided by n − 1, as PyTorch does.
    case unbiased
    /// Divided by n, as Keras does.
    case biased
  }

  /// `momentum` is the share of the new batch in the running averages (Keras counts the other share).
  public init(
    _ channels: Int, epsilon: Float = 1e-5, momentum: Float = 0.1, variance: RunningVariance = .unbiased,
    hasScale: Bool = true
  ) {
    weight = hasScale ? Parameter([channels], .ones) : nil
    bias = Parameter([channels], .zeros)
    runningMean = Buffer([channels], .zeros)
    runningVar = Buffer([channels], .ones)
    self.epsilon = epsilon
    self.momentum = momentum
    self.variance = variance
  }

  /// N×C×spatial to the same; while training, the running averages are updated.
  public func callAsFunction(_ input: Tensor) -> Tensor { normalized(input, rectifies: false) }

  public func rectified(_ input: Tensor) -> Tensor {
    Trace.isActive ? self(input).relu() : normalized(input, rectifies: true)
  }

  private func normalized(_ input: Tensor, rectifies: Bool) -> Tensor {
    let scale = weight?.value ?? .ones(bias.shape)
    guard isTraining, !runningMean.isFrozen else {
      return batchNormalized(
        input, scale: scale, shift: bias.value, mean: runningMean.value, variance: runningVar.value,
        epsilon: epsilon, rectifies: rectifies)
    }
    let (result, mean, variance) = batchNormalized(
      input, scale: scale, shift: bias.value, epsilon: epsilon, rectifies: rectifies)
    if !result.isAbstract { updateAverages(mean, variance, count: input.count / input.shape[1]) }
    return result
  }

  private func updateAverages(_ mean: Tensor, _ variance: Tensor, count: Int) {
    let correction = self.variance == .unbiased && count > 1 ? Float(count) / Float(count - 1) : 1
    runningMean.value = runningMean.value * (1 - momentum) + mean * momentum
    runningVar.value = runningVar.value * (1 - momentum) + variance * (momentum * correction)
  }
}

/// Batch normalization of N×C×spatial whose scale, shift and statistics are all kept as they are: that of networks which are trained with
/// few pictures at a time.
///
/// Names as torchvision's `FrozenBatchNorm2d`.
public final class FrozenBatchNorm: RectifiableLayer {
  /// The scale γ, C.
  public let weight: Buffer
  /// The shift β, C.
  public let bias: Buffer
  /// The mean of each channel, C.
  public let runningMean: Buffer
  /// The variance of each channel, C.
  public let runningVar: Buffer
  /// Added to the variance before the square root is taken.
  public let epsilon: Float

  /// Changes nothing but by ε until weights are loaded: scales and variances of 1, shifts and means of 0.
  public init(_ channels: Int, epsilon: Float = 1e-5) {
    weight = Buffer([channels], .ones)
    bias = Buffer([channels], .zeros)
    runningMean = Buffer([channels], .zeros)
    runningVar = Buffer([channels], .ones)
    self.epsilon = epsilon
  }

  /// N×C×spatial to the same, in training as in evaluation.
  public func callAsFunction(_ input: Tensor) -> Tensor { normalized(input, rectifies: false) }

  public func rectified(_ input: Tensor) -> Tensor {
    Trace.isActive ? self(input).relu() : normalized(input, rectifies: true)
  }

  private func normalized(_ input: Tensor, rectifies: Bool) -> Tensor {
    batchNormalized(
      input, scale: weight.value, shift: bias.value, mean: runningMean.value, variance: runningVar.value,
      epsilon: epsilon, rectifies: rectifies)
  }
}

/// Layer normalization of the last axes (Ba et al. 2016).
public final class LayerNorm: Layer {
  /// The scale γ, of the shape of the axes normalized.
  public let weight: Parameter
  /// The shift β, of the shape of the axes normalized.
  public let bias: Parameter
  /// Added to the variance before the square root is taken.
  public let epsilon: Float

  /// `shape` is that of the last axes, which are normalized together.
  public init(_ shape: Int..., epsilon: Float = 1e-5) {
    weight = Parameter(shape, .ones)
    bias = Parameter(shape, .zeros)
    self.epsilon = epsilon
  }

  /// …×`shape` to the same.
  public func callAsFunction(_ input: Tensor) -> Tensor {
    layerNormalized(input, scale: weight.value, shift: bias.value, epsilon: epsilon)
  }
}

/// Group normalization of N×C×spatial (Wu & He 2018); as many groups as channels is instance normalization.
public final class GroupNorm: Layer {
  /// The scale γ, C.
  public let weight: Parameter
  /// The shift β, C.
  public let bias: Parameter
  /// How many pieces the channels are divided into, each with statistics of its own.
  public let groups: Int
  /// Added to the variance before the square root is taken.
  public let epsilon: Float

  /// `channels` is C, a multiple of `groups`.
  public init(_ channels: Int, groups: Int, epsilon: Float = 1e-5) {
    weight = Parameter([channels], .ones)
    bias = Parameter([channels], .zeros)
    self.groups = groups
    self.epsilon = epsilon
  }

  /// Instance normalization (Ulyanov et al. 2016): every channel of a sample has statistics of its own.
  public static func instance(_ channels: Int, epsilon: Float = 1e-5) -> GroupNorm {
    GroupNorm(channels, groups: channels, epsilon: epsilon)
  }

  /// N×C×spatial to the same.
  public func callAsFunction(_ input: Tensor) -> Tensor {
    groupNormalized(input, groups: groups, scale: weight.value, shift: bias.value, epsilon: epsilon)
  }
}

/// Root-mean-square normalization of the last axis (Zhang & Sennrich 2019).
public final class RMSNorm: Layer {
  /// The scale, one number per feature of the last axis.
  public let weight: Parameter
  /// Added to the mean of the squares before the square root is taken.
  public let epsilon: Float

  /// `width` is D, the extent of the last axis.
  public init(_ width: Int, epsilon: Float = 1e-6) {
    weight = Parameter([width], .ones)
    self.epsilon = epsilon
  }

  /// …×D to the same.
  public func callAsFunction(_ input: Tensor) -> Tensor {
    rmsNormalized(input, scale: weight.value, epsilon: epsilon)
  }
}

/// Local response normalization across channels of N×C×H×W (Krizhevsky et al. 2012).
public final class LocalResponseNorm: Layer {
  private let size: Int
  private let alpha: Float
  private let beta: Float
  private let k: Float

  /// Divides by (k + α/size · Σ x²)^β over `size` neighbouring channels; α is divided by the size, as in PyTorch.
  public init(size: Int, alpha: Float = 1e-4, beta: Float = 0.75, k: Float = 1) {
    self.size = size
    self.alpha = alpha
    self.beta = beta
    self.k = k
  }

  /// N×C×H×W to the same.
  public func callAsFunction(_ input: Tensor) -> Tensor {
    input.localResponseNormalized(size: size, alpha: alpha, beta: beta, k: k)
  }
}
