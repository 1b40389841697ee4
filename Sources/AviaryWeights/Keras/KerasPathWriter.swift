import AviaryTensors

/// Writes the `.weights.h5` files of Keras 3.
package enum KerasPathWriter {
  /// Writes the layers of `archive.keras` under their paths, complete or not at all.
  ///
  /// - Parameter floats: the type that floating-point tensors are stored in; nil keeps each one's own.
  ///
  /// Layers of a legacy file, and canonical names without layers, get paths first (see ``KerasSpelling``).
  /// Throws ``WeightsError`` when that is not possible or the file cannot be written.
  package static func write(_ archive: WeightArchive, to path: String, floats: DType? = nil) throws {
    let structure = try naming(path) {
      let hasPaths = archive.keras?.layout == .attributePaths
      return try (hasPaths ? archive : KerasSpelling.attributePaths(archive)).checkedKerasStructure()
    }
    let metadata = try archive.portable?.attributeText()
    try HDF5Writer.write(to: path, sizes: archive.storedSizes(floats: floats)) { root in
      if let metadata { try root.write(metadata, attribute: PortableMetadata.key) }
      for layer in structure.layers {
        let vars = try root.group(layer.path.map { $0.isEmpty ? "vars" : $0 + "/vars" } ?? layer.name)
        try vars.write(layer.name, attribute: "name")
        for weight in layer.weights {
          let type = archive.storedType(weight.tensor, floats: floats)
          try vars.write(weight.tensor, of: archive, as: type, to: weight.name)
        }
      }
    }
  }
}
