import AviaryTensors

/// Layers one after another, named by their place (`0`, `1`, …) or by the names given.
public final class Sequential: Layer, Container {
  /// The layers' names, in order; they stay with the places when layers are exchanged.
  public let names: [String]
  /// The layers, in order.
  public private(set) var layers: [any Layer]

  /// Layers named `0`, `1` and so on.
  public init(_ layers: [any Layer]) {
    self.layers = layers
    names = layers.indices.map(String.init)
  }

  /// Layers that are written out, named `0`, `1` and so on.
  public convenience init(_ layers: any Layer...) { self.init(layers) }

  /// Layers under names of their own.
  public init(named layers: [(name: String, layer: any Layer)]) {
    self.layers = layers.map(\.layer)
    names = layers.map(\.name)
  }

  /// The layers under their names, in order.
  public var namedChildren: [(name: String, module: any Module)] { Array(zip(names, layers)) }

  /// The last layer's result, of each layer applied to what the one before it made.
  public func callAsFunction(_ input: Tensor) -> Tensor { callInSequence(layers, on: input) }

  /// The layer at a place. Replacing one is how a head is exchanged.
  public subscript(_ index: Int) -> any Layer {
    get { layers[index] }
    set { layers[index] = newValue }
  }

  /// The layers of a range of places, under the names they have here.
  public subscript(_ range: Range<Int>) -> Sequential {
    Sequential(named: zip(names[range], layers[range]).map { ($0, $1) })
  }

  /// The number of layers.
  public var count: Int { layers.count }
}
