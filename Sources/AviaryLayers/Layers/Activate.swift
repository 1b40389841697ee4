import AviaryTensors

/// An activation function as a layer of its own.
public final class Activate: Layer {
  public let activation: Activation
  public init(_ activation: Activation) { self.activation = activation }
  public func callAsFunction(_ input: Tensor) -> Tensor { activation(input) }
}

/// PReLU with a trained slope (He et al. 2015).
public final class PReLU: Layer {
  public let weight: Parameter
  /// One slope, or one per channel.
  public init(channels: Int = 1) { weight = Parameter([channels], .constant(0.25)) }
  public func callAsFunction(_ input: Tensor) -> Tensor { prelu(input, slope: weight.value) }
}

/// Zeroes values at random while training (Srivastava et al. 2014).
public final class Dropout: Layer, ModeDependent {
  public let probability: Float
  public var isTraining = false

  public init(_ probability: Float) { self.probability = probability }

  public func callAsFunction(_ input: Tensor) -> Tensor {
    isTraining ? input.dropout(probability: probability) : input
  }
}

/// Drops whole samples of a residual branch at random while training (Huang et al. 2016).
public final class DropPath: Layer, ModeDependent {
  public let probability: Float
  public var isTraining = false

  public init(_ probability: Float) { self.probability = probability }

  public func callAsFunction(_ input: Tensor) -> Tensor {
    isTraining ? input.droppedPath(probability: probability) : input
  }
}
