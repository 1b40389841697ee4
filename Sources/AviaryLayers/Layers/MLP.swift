import AviaryTensors

/// Linear layers with a ReLU between each two: a multi-layer perceptron.
public final class MLP: Layer {
  /// One more than there are hidden layers.
  public let layers: [Linear]

  /// From `inputs` features through `hidden` ones, a number per hidden layer, to `outputs`.
  public init(_ inputs: Int, hidden: [Int], _ outputs: Int) {
    layers = zip([inputs] + hidden, hidden + [outputs]).map { Linear($0, $1) }
  }

  /// …×in to …×out; no ReLU follows the last layer.
  public func callAsFunction(_ input: Tensor) -> Tensor {
    layers.dropFirst().reduce(layers[0](input)) { hidden, layer in layer(hidden.relu()) }
  }
}
