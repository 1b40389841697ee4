import AviaryTensors

/// Gives weights the layers and spellings of a Keras format, for the writers.
///
/// The tensors stay; only ``WeightArchive/keras`` changes. Weights from elsewhere need canonical names first (`conv1/kernel`).
package enum KerasSpelling {
  /// The layers of a legacy `.h5` file as Keras 3 spells them.
  ///
  /// - Parameter classes: the class in snake case of each layer, where it is known.
  package static func legacy(_ archive: WeightArchive, classes: [String: String] = [:]) throws
    -> WeightArchive
  {
    var result = archive
    result.keras = KerasStructure(
      layout: .legacyWeights, version: "3.0.0", backend: "tensorflow",
      layers: try layers(of: archive, classes).map { layer in
        let weights = layer.weights.map {
          KerasStructure.Weight(name: "\(layer.name)/\($0.kind)", tensor: $0.tensor)
        }
        return .init(name: layer.name, className: layer.className, weights: weights)
      })
    return result
  }

  /// The layers of a `.weights.h5` file of Keras 3: a group per class and number.
  ///
  /// Throws ``WeightsError`` for nested models, whose paths a flat file does not tell, and for layers whose class stays unknown.
  package static func attributePaths(_ archive: WeightArchive, classes: [String: String] = [:]) throws
    -> WeightArchive
  {
    var numbers: [String: Int] = [:]
    var result = archive
    result.keras = KerasStructure(
      layout: .attributePaths, version: "3",
      layers: try layers(of: archive, classes).map { layer in
        let kernel = layer.weights.first { $0.kind == "kernel" }.map { archive.spec($0.tensor)!.shape.count }
        let inferred = KerasLayerClass.inferred(
          layer: layer.name, kinds: layer.weights.map(\.kind), kernelRank: kernel)
        guard let className = layer.className ?? inferred?.name else {
          throw WeightsError(.unsupported, "the class of layer \(layer.name.quoted) is not known")
        }
        let number = numbers[className, default: 0]
        numbers[className] = number + 1
        let weights = layer.weights.enumerated().map {
          KerasStructure.Weight(name: String($0.offset), tensor: $0.element.tensor)
        }
        return .init(
          name: layer.name, path: number == 0 ? "layers/\(className)" : "layers/\(className)_\(number)",
          className: className, weights: weights)
      })
    return result
  }

  private struct Layer {
    let name: String
    var className: String?
    var weights: [KerasNaming.Weight]
  }

  /// The weights by layer, layers in the order of their first weight, weights in the order Keras creates them.
  private static func layers(of archive: WeightArchive, _ classes: [String: String]) throws -> [Layer] {
    var classes = classes
    let weights: [KerasNaming.Weight]
    if let keras = archive.keras {
      weights = try KerasNaming.weights(of: archive)
      for layer in keras.layers {
        let className = layer.className ?? layer.path.map { KerasLayerClass(path: $0).name }
        let isDepthwise =
          layer.weights.contains { $0.name.contains("depthwise_kernel") } && layer.weights.count < 3
        classes[layer.name] = classes[layer.name] ?? className ?? (isDepthwise ? "depthwise_conv2d" : nil)
      }
      try refuseNested(keras, weights)
    } else {
      weights = try archive.names.map(split)
    }
    var layers: [Layer] = []
    var positions: [String: Int] = [:]
    for weight in weights {
      if let position = positions[weight.layer] {
        layers[position].weights.append(weight)
      } else {
        positions[weight.layer] = layers.count
        layers.append(Layer(name: weight.layer, className: classes[weight.layer], weights: [weight]))
      }
    }
    let order = KerasLayerClass.order
    for index in layers.indices {
      // Stable: what has no place of its own keeps the file's order.
      layers[index].weights = layers[index].weights.enumerated().sorted {
        let a = order.firstIndex(of: $0.element.kind) ?? order.count
        let b = order.firstIndex(of: $1.element.kind) ?? order.count
        return (a, $0.offset) < (b, $1.offset)
      }.map(\.element)
    }
    return layers
  }

  private static func split(_ name: String) throws -> KerasNaming.Weight {
    let layer = KerasNaming.layer(of: name)
    guard !layer.isEmpty, name.utf8.count > layer.utf8.count + 1 else {
      throw WeightsError(.mismatched, "\(name.quoted) is not a Keras name like \"conv1/kernel\"")
    }
    return .init(layer: layer, kind: String(name.dropFirst(layer.count + 1)), tensor: name)
  }

  private static func refuseNested(_ keras: KerasStructure, _ weights: [KerasNaming.Weight]) throws {
    let owner = Dictionary(uniqueKeysWithValues: weights.map { ($0.tensor, $0.layer) })
    for layer in keras.layers where layer.weights.contains(where: { owner[$0.tensor] != layer.name }) {
      throw WeightsError(
        .unsupported,
        "layer \(layer.name.quoted) is a model or holds layers; only flat models change between Keras' formats"
      )
    }
  }
}
