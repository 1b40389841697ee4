import AviaryTensors

/// Reads the legacy HDF5 files of Keras 1, 2 and 3.
///
/// Lists of names say what is where: each layer in `layer_names` is a group with a list `weight_names`, and a weight lies at layer
/// group / weight name. The names are followed as they are written and never rebuilt from a pattern.
enum KerasLegacyReader {
  /// The weights, or nil when the file is of another kind.
  static func read(_ root: HDF5Group) throws -> WeightArchive? {
    var base = root
    var layout = KerasStructure.Layout.legacyWeights
    var layerNames = try root.header.list("layer_names")
    if layerNames == nil, case .group(let weights)? = try root.child("model_weights") {
      base = weights
      layout = .legacyModel
      layerNames = try weights.header.list("layer_names")
    }
    guard let layerNames else { return nil }
    guard Set(layerNames).count == layerNames.count else {
      throw WeightsError(.malformed, "layer_names lists a layer twice")
    }

    var archive = WeightArchive()
    var structure = KerasStructure(
      layout: layout,
      version: try text("keras_version", base, root),
      backend: try text("backend", base, root),
      modelConfig: try root.header.string("model_config"),
      layers: [])
    for name in layerNames {
      structure.layers.append(try layer(name, base.group(name), &archive))
    }
    if case .group(let group)? = try base.child(KerasStructure.topLevel),
      !layerNames.contains(KerasStructure.topLevel)
    {
      let layer = try layer(KerasStructure.topLevel, group, &archive)
      if !layer.weights.isEmpty { structure.layers.append(layer) }
    }
    let classes = KerasConfiguration.classNames(in: structure.modelConfig, root.header.file.budget)
    for index in structure.layers.indices {
      structure.layers[index].className = classes[structure.layers[index].name]
    }
    archive.keras = structure
    return archive
  }

  private static func text(_ attribute: String, _ base: HDF5Group, _ root: HDF5Group) throws -> String? {
    try base.header.string(attribute) ?? root.header.string(attribute)
  }

  private static func layer(
    _ name: String, _ group: HDF5Group, _ archive: inout WeightArchive
  ) throws -> KerasStructure.Layer {
    var layer = KerasStructure.Layer(name: name, weights: [])
    for weight in try group.header.list("weight_names") ?? [] {
      let tensorName = "\(name)/\(weight)"
      guard try group.dataset(weight).append(to: &archive, as: tensorName) else {
        throw WeightsError(
          .unsupported, "the weight \(weight.quoted) of layer \(name.quoted) holds no numbers")
      }
      layer.weights.append(.init(name: weight, tensor: tensorName))
    }
    return layer
  }
}
