import AviaryTensors

/// Writes the legacy HDF5 weights of Keras, which Keras 1, 2 and 3 load with `model.load_weights("x.h5")`.
package enum KerasLegacyWriter {
  /// Writes the layers of `archive.keras` in their order, every weight under the name it has there, complete or not at all.
  ///
  /// - Parameter floats: the type that floating-point tensors are stored in; nil keeps each one's own.
  ///
  /// bfloat16 goes out as float32, which holds the same numbers: Keras writes it to this format but cannot load it from there.
  /// Layers of another format, and canonical names without layers, are spelled first (see ``KerasSpelling``).
  /// Throws ``WeightsError`` when the names are not Keras names or the file cannot be written.
  package static func write(_ archive: WeightArchive, to path: String, floats: DType? = nil) throws {
    let structure = try naming(path) {
      let isLegacy = archive.keras.map { $0.layout != .attributePaths } ?? false
      return try (isLegacy ? archive : KerasSpelling.legacy(archive)).checkedKerasStructure()
    }
    let layers = structure.layers.filter { $0.name != KerasStructure.topLevel }
    let topLevel = structure.layers.filter { $0.name == KerasStructure.topLevel }
    let metadata = try archive.portable?.attributeText()
    try HDF5Writer.write(to: path, sizes: archive.storedSizes(floats: floats)) { root in
      if let metadata { try root.write(metadata, attribute: PortableMetadata.key) }
      try root.write(list: layers.map(\.name), attribute: "layer_names")
      try root.write(structure.backend ?? "tensorflow", attribute: "backend")
      // Files of Keras 1 carry no version, and readers conclude from that what they are.
      if let version = structure.version { try root.write(version, attribute: "keras_version") }
      for layer in layers + topLevel {
        let group = try root.group(layer.name)
        try group.write(list: layer.weights.map(\.name), attribute: "weight_names")
        for weight in layer.weights {
          let type = archive.storedType(weight.tensor, floats: floats)
          try group.write(
            weight.tensor, of: archive, as: type == .bfloat16 ? .float32 : type, to: weight.name)
        }
      }
    }
  }
}
