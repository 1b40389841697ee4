import AviaryTensors

/// y = x Wᵀ + b on the last axis; weights out×in.
public final class Linear: Layer {
  public let weight: Parameter
  public let bias: Parameter?

  public init(_ inputs: Int, _ outputs: Int, bias: Bool = true, initializer: Initializer? = nil) {
    require(inputs > 0 && outputs > 0, "\(inputs) to \(outputs) features")
    weight = Parameter([outputs, inputs], initializer ?? .torchDefault(fanIn: inputs))
    self.bias = bias ? Parameter([outputs], initializer == nil ? .torchDefault(fanIn: inputs) : .zeros) : nil
  }

  public func callAsFunction(_ input: Tensor) -> Tensor { linear(input, weight.value, bias: bias?.value) }
}

/// Rows of a table by integer tokens.
public final class Embedding: Layer {
  public let weight: Parameter

  public init(vocabulary: Int, width: Int) {
    weight = Parameter([vocabulary, width], .normal(standardDeviation: 1))
  }

  /// N×T integer tokens to N×T×D.
  public func callAsFunction(_ tokens: Tensor) -> Tensor { embedding(weight.value, tokens: tokens) }
}

/// Axes `from...` merged into one, by default all but the batch.
public final class Flatten: Layer {
  private let axis: Int
  public init(from axis: Int = 1) { self.axis = axis }
  public func callAsFunction(_ input: Tensor) -> Tensor { input.flattened(from: axis) }
}
