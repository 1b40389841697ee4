import AviaryTensors

/// Reads the `.weights.h5` files of Keras 3, whose groups follow the model's attributes.
///
/// Each layer's variables are the numbered datasets of a group `vars`, which carries the layer's name as an attribute in newer
/// files. Children come in numeric order: HDF5 lists `conv2d_10` before `conv2d_2`.
enum KerasPathReader {
  /// Groups under which layers are counted per class; the second is what TensorFlow 2.13 called the first.
  static let layerLists: Set<String> = ["layers", "_layer_checkpoint_dependencies"]

  /// The weights, or nil when the file is of another kind.
  static func read(_ root: HDF5Group) throws -> WeightArchive? {
    let names = root.childNames
    let isKeras = names.contains {
      layerLists.contains($0) || $0 == "vars" || $0.hasPrefix("_layer_checkpoint")
    }
    guard isKeras, try holdsOnlyGroups(root, names) else { return nil }
    var reader = Reader()
    try reader.visit(root, depth: 0)
    guard !reader.structure.layers.isEmpty else { return nil }
    reader.archive.keras = reader.structure
    return reader.archive
  }

  private static func holdsOnlyGroups(_ root: HDF5Group, _ names: [String]) throws -> Bool {
    for name in names {
      if case .dataset? = try root.child(name) { return false }
    }
    return true
  }

  private struct Reader {
    var archive = WeightArchive()
    var structure = KerasStructure(layout: .attributePaths, version: "3", layers: [])

    mutating func visit(_ group: HDF5Group, depth: Int) throws {
      guard depth < HDF5Walk.maximumDepth else {
        throw WeightsError(.refused, "groups are nested deeper than \(HDF5Walk.maximumDepth)")
      }
      let names = group.childNames
      if names.contains("vars") { try readLayer(group, try group.group("vars")) }
      for name in names.sorted(by: NumericOrder.precedes) where name != "vars" {
        // The optimiser's state is of no use outside the training that made it.
        if depth == 0, name == "optimizer" { continue }
        if case .group(let child)? = try group.child(name) { try visit(child, depth: depth + 1) }
      }
    }

    private mutating func readLayer(_ group: HDF5Group, _ vars: HDF5Group) throws {
      let key = group.path.split(separator: "/").last.map(String.init) ?? ""
      let name = try vars.header.string("name") ?? key
      var layer = KerasStructure.Layer(name: name, path: group.path, weights: [])
      for position in vars.childNames.sorted(by: NumericOrder.precedes) {
        let dataset = try vars.dataset(position)
        guard try dataset.append(to: &archive) else {
          throw WeightsError(.unsupported, "the variable \(dataset.path.quoted) holds no numbers")
        }
        layer.weights.append(.init(name: position, tensor: dataset.path))
      }
      structure.layers.append(layer)
    }
  }
}
