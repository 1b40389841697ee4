import AviaryTensors

/// Layers one after another, named by their place (`0`, `1`, …) or by the names given.
public final class Sequential: Layer, Container {
  public let names: [String]
  public private(set) var layers: [any Layer]

  public init(_ layers: [any Layer]) {
    self.layers = layers
    names = layers.indices.map(String.init)
  }

  public convenience init(_ layers: any Layer...) { self.init(layers) }

  /// Layers under names of their own.
  public init(named layers: [(name: String, layer: any Layer)]) {
    self.layers = layers.map(\.layer)
    names = layers.map(\.name)
  }

  public var namedChildren: [(name: String, module: any Module)] { Array(zip(names, layers)) }

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

  public var count: Int { layers.count }
}
