import AviaryTensors

/// y = x Wᵀ + b on the last axis; weights out×in.
public final class Linear: Layer {
  /// W, out×in.
  public let weight: Parameter
  /// b, one number per output, or nil.
  public let bias: Parameter?

  /// Features in and out; with an initializer for the weights, the bias starts with zeros.
  public init(_ inputs: Int, _ outputs: Int, bias: Bool = true, initializer: Initializer? = nil) {
    require(inputs > 0 && outputs > 0, "\(inputs) to \(outputs) features")
    weight = Parameter([outputs, inputs], initializer ?? .torchDefault(fanIn: inputs))
    self.bias = bias ? Parameter([outputs], initializer == nil ? .torchDefault(fanIn: inputs) : .zeros) : nil
  }

  /// …×in to …×out.
  public func callAsFunction(_ input: Tensor) -> Tensor { linear(input, weight.value, bias: bias?.value) }
}

/// Rows of a table by integer tokens.
public final class Embedding: Layer {
  /// V×D, a row per token.
  public let weight: Parameter

  /// `vocabulary` is V, the number of different tokens, and `width` is D; rows are drawn from N(0, 1) unless said otherwise.
  public init(
    vocabulary: Int, width: Int, initializer: Initializer = .normal(standardDeviation: 1)
  ) {
    weight = Parameter([vocabulary, width], initializer)
  }

  /// N×T integer tokens to N×T×D.
  public func callAsFunction(_ tokens: Tensor) -> Tensor { embedding(weight.value, tokens: tokens) }
}

/// Axes `from...` merged into one, by default all but the batch.
public final class Flatten: Layer {
  private let axis: Int
  /// Merges the axes from `axis` to the last.
  public init(from axis: Int = 1) { self.axis = axis }
  /// N×C×H×W to N×(C·H·W), by default.
  public func callAsFunction(_ input: Tensor) -> Tensor { input.flattened(from: axis) }
}
