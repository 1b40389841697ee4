/// The layers of a Keras file: their order, and how each spells its weights.
///
/// The archive's tensors keep the file's own names; this says which layer each belongs to.
package struct KerasStructure: Codable, Hashable, Sendable {
  /// The three kinds of file.
  package enum Layout: String, Codable, Sendable {
    /// `layer_names` at the root: `model.save_weights("x.h5")` of Keras 1 and 2, and of Keras 3 by that name.
    case legacyWeights
    /// The same inside `model_weights`, beside the model's configuration: `model.save("x.h5")`.
    case legacyModel
    /// Groups that follow the model's attributes: `x.weights.h5` of Keras 3.
    case attributePaths
  }

  /// One layer, or one nested model of a legacy file.
  package struct Layer: Codable, Hashable, Sendable {
    /// The layer's own name.
    package var name: String
    /// In a file of attribute paths, the group that holds `vars`: `layers/conv2d_3`.
    package var path: String?
    /// The layer's class in snake case, where it is known: `conv2d`, `batch_normalization`.
    package var className: String?
    /// In the layer's own order; empty for a layer without weights.
    package var weights: [Weight]

    /// A layer; in a file of attribute paths Keras finds its weights only by a `path`.
    package init(name: String, path: String? = nil, className: String? = nil, weights: [Weight]) {
      self.name = name
      self.className = className
      self.path = path
      self.weights = weights
    }
  }

  /// One weight of a layer: its name there and in the archive.
  package struct Weight: Codable, Hashable, Sendable {
    /// As the file spells it: `conv1/kernel:0`, `block1_conv1_W_1:0`, or the position `0` in a file of attribute paths.
    package var name: String
    /// The tensor's name in the archive.
    package var tensor: String

    /// The weight that the file spells `name` and the archive calls `tensor`.
    package init(name: String, tensor: String) {
      self.name = name
      self.tensor = tensor
    }
  }

  /// The group of a legacy file for weights that belong to the model and no layer; not one of its layers.
  static let topLevel = "top_level_model_weights"

  /// The kind of file that the weights came from.
  package var layout: Layout
  /// Absent in files of Keras 1.
  package var version: String?
  /// What Keras computed with, where a legacy file says it: `theano`; nil is written as `tensorflow`.
  package var backend: String?
  /// The model's configuration, a JSON text that is kept and never interpreted.
  package var modelConfig: String?
  /// In the order of the file, which counts where Keras loads by position.
  package var layers: [Layer]

  /// A structure; to be written, its `layers` have to name each tensor of the archive exactly once.
  package init(
    layout: Layout, version: String? = nil, backend: String? = nil, modelConfig: String? = nil,
    layers: [Layer]
  ) {
    self.layout = layout
    self.version = version
    self.backend = backend
    self.modelConfig = modelConfig
    self.layers = layers
  }
}

extension WeightArchive {
  /// The layers, when they name exactly the archive's tensors; throws ``WeightsError`` otherwise.
  func checkedKerasStructure() throws -> KerasStructure {
    guard let keras else {
      throw WeightsError(
        .mismatched, "the weights have no Keras layers; translate them to Keras' names first")
    }
    let spelled = keras.layers.flatMap { $0.weights.map(\.tensor) }
    let unknown = spelled.filter { spec($0) == nil }
    let unspelled = Set(names).subtracting(spelled)
    guard unknown.isEmpty, unspelled.isEmpty, spelled.count == Set(spelled).count else {
      let examples = (unknown + unspelled.sorted()).prefix(3).joined(separator: ", ")
      throw WeightsError(.mismatched, "the Keras layers and the tensors do not match: \(examples)")
    }
    return keras
  }
}
