import AviaryTensors

/// Reads HDF5 files: the two forms of Keras, and any other as datasets by path.
package enum HDF5Reader {
  /// The tensors of an HDF5 file.
  ///
  /// A Keras file gives `<layer>/<weight>` as spelled in the file, with its layers in ``WeightArchive/keras`` and without the
  /// optimiser's state; any other gives every dataset of numbers under its path.
  /// Throws ``WeightsError`` when the file is damaged, dishonest, or leads to other files.
  package static func read(_ path: String) throws -> WeightArchive {
    try naming(path) { try read(FileWindow(try MappedFile(path: path))) }
  }

  static func read(_ file: FileWindow) throws -> WeightArchive {
    try file.withBytes { bytes in
      let root = try HDF5File(file, bytes: bytes).root()
      var archive = try KerasLegacyReader.read(root) ?? KerasPathReader.read(root) ?? flat(root)
      archive.portable = try root.header.string(PortableMetadata.key).map { try PortableMetadata(text: $0) }
      return archive
    }
  }

  /// Every dataset of numbers by its path, in numeric order; what holds no numbers is listed in the metadata as `ignored`.
  private static func flat(_ root: HDF5Group) throws -> WeightArchive {
    var archive = WeightArchive()
    var ignored: [String] = []
    try HDF5Walk.visit(root) { dataset in
      if try !dataset.append(to: &archive) { ignored.append(dataset.path) }
    }
    if !ignored.isEmpty { archive.metadata["ignored"] = ignored.joined(separator: " ") }
    return archive
  }
}

/// A walk over all groups of a file, which ends even when links run in circles: each step costs some of the file's budget.
enum HDF5Walk {
  static let maximumDepth = 32

  /// Calls `body` for every dataset under `group`, children in numeric order.
  static func visit(
    _ group: HDF5Group, depth: Int = 0, _ body: (HDF5Dataset) throws -> Void
  ) throws {
    guard depth < maximumDepth else {
      throw WeightsError(.refused, "groups are nested deeper than \(maximumDepth): \(group.path.quoted)")
    }
    for name in group.childNames.sorted(by: NumericOrder.precedes) {
      switch try group.child(name) {
      case .group(let child): try visit(child, depth: depth + 1, body)
      case .dataset(let dataset): try body(dataset)
      case .other, nil: break
      }
    }
  }
}
