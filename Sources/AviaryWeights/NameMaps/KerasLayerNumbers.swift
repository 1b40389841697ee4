/// Names for the layers of a `.weights.h5` file that carries none, as Keras wrote before 3.15.
///
/// Such a file knows a layer as the n-th of its class, `layers/conv2d_3`. Which layer that is follows from the model: its layers in
/// Keras' order, counted per class.
struct KerasLayerNumbers {
  /// `conv2d_3` to the layer's name.
  private var names: [String: String] = [:]

  /// - Parameter layers: names and classes of all layers with weights, in Keras' order.
  init(_ layers: [(name: String, className: String)]) {
    var counts: [String: Int] = [:]
    for layer in layers {
      let number = counts[layer.className, default: 0]
      counts[layer.className] = number + 1
      names[number == 0 ? layer.className : "\(layer.className)_\(number)"] = layer.name
    }
  }

  /// `structure` with names in place of numbers, when no layer has a name and each number is one of the model's; else unchanged.
  func named(_ structure: KerasStructure) -> KerasStructure {
    guard structure.layout == .attributePaths else { return structure }
    var result = structure
    for index in structure.layers.indices where !structure.layers[index].weights.isEmpty {
      let layer = structure.layers[index]
      guard let key = layer.path?.split(separator: "/").last.map(String.init), layer.name == key,
        let name = names[key]
      else { return structure }
      result.layers[index].name = name
    }
    return result
  }
}
