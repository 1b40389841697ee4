import AviaryTensors

/// An activation function as a layer of its own.
public final class Activate: Layer {
  /// The function, which a layer before this one may compute in the same pass (``callInSequence(_:on:)``).
  public let activation: Activation
  /// A layer that computes `activation`.
  public init(_ activation: Activation) { self.activation = activation }
  /// The function of every element, whatever the shape.
  public func callAsFunction(_ input: Tensor) -> Tensor { activation(input) }
}

/// PReLU with a trained slope (He et al. 2015).
public final class PReLU: Layer {
  /// The slope for negative values, 1 or C of them; 0.25 at first.
  public let weight: Parameter
  /// One slope, or one per channel.
  public init(channels: Int = 1) { weight = Parameter([channels], .constant(0.25)) }
  /// N×C×spatial to the same.
  public func callAsFunction(_ input: Tensor) -> Tensor { prelu(input, slope: weight.value) }
}

/// Zeroes values at random while training (Srivastava et al. 2014).
public final class Dropout: Layer, ModeDependent {
  /// The share of values that are zeroed; the others are divided by 1 − p.
  public let probability: Float
  /// Only while true are values zeroed.
  public var isTraining = false

  /// `probability` is that of a value to be zeroed.
  public init(_ probability: Float) { self.probability = probability }

  /// Any shape to the same.
  public func callAsFunction(_ input: Tensor) -> Tensor {
    isTraining ? input.dropout(probability: probability) : input
  }
}

/// Drops whole samples of a residual branch at random while training (Huang et al. 2016).
public final class DropPath: Layer, ModeDependent {
  /// The share of samples that are dropped; the others are divided by 1 − p.
  public let probability: Float
  /// Only while true are samples dropped.
  public var isTraining = false

  /// `probability` is that of a sample to be dropped.
  public init(_ probability: Float) { self.probability = probability }

  /// Any shape to the same; rows of the first axis are samples.
  public func callAsFunction(_ input: Tensor) -> Tensor {
    isTraining ? input.droppedPath(probability: probability) : input
  }
}
