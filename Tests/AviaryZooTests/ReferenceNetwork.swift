import AviaryLayers
import AviaryTensors
import AviaryWeights
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

/// A network of the catalogue with the deterministic weights that its reference implementation had (`tools/reference/deterministic.py`).
///
/// Weights are made in the reference's names and layouts, so a name map is part of what is tested.
struct ReferenceNetwork {
  let entry: ZooEntry
  let card: Card
  let dialect: Dialect
  /// The file of the map that leads from the reference's names to ours; nil where they are the same.
  let nameMap: String?
  let model: any StagedModel

  /// What the references computed: `<reference>.<model>.logits`, `.parameters`, `.spread` and `.auxiliary` of all families.
  static let expected = try! Bundle.module
    .urls(forResourcesWithExtension: "safetensors", subdirectory: "Fixtures/classifiers")!
    .reduce(into: [String: Tensor]()) { result, url in
      for (name, tensor) in try WeightFile.open(url.path!).archive.entries { result[name] = tensor }
    }

  /// `<reference>.<model>`.
  static let names = expected.keys.filter { $0.hasSuffix(".logits") }
    .map { String($0.dropLast(".logits".count)) }.sorted()

  /// The network of a reference's model, such as `torchvision.resnet50`.
  init(_ name: String) throws {
    let dot = try #require(name.firstIndex(of: "."))
    let reference = String(name[..<dot])
    entry = try Catalogue.entry(String(name[name.index(after: dot)...]))
    card = try entry.card()
    dialect = Self.dialect(of: entry, reference)
    nameMap = try Self.nameMap(of: dialect, reference)
    model = dialect.make(card.classes)
    try fill(reference, spread: Self.expected[name + ".spread"]?.item() ?? 1)
  }

  /// The dialect of a reference's weights: the first that has its name, else the entry's first.
  static func dialect(of entry: ZooEntry, _ reference: String) -> Dialect {
    let prefix = ["torchvision": "tv"][reference] ?? reference
    return entry.dialects.first { $0.name.hasPrefix(prefix) } ?? entry.dialects[0]
  }

  static func nameMap(of dialect: Dialect, _ reference: String) throws -> String? {
    guard try dialect.loadNameMap(theirs: reference) != nil else { return nil }
    return dialect.nameMaps.first { $0.hasPrefix(reference + "_") }
  }

  private func fill(_ reference: String, spread: Float) throws {
    let entries = model.stateEntries.filter { !$0.isFixed }
    guard let map = try dialect.loadNameMap(theirs: reference) else {
      for entry in entries {
        let values = DeterministicWeights.torch(entry.name, shape: entry.shape, spread: spread)
        entry.value = Tensor(values, shape: entry.shape)
      }
      return
    }
    let shapes = try WeightArchive(entries.map { ($0.name, Tensor.zeros($0.shape)) })
    let exported = try map.exported(shapes)
    #expect(exported.unmatched.isEmpty)
    var theirs = exported.archive
    let depthwise = Set(
      theirs.keras?.layers.filter { $0.className == "depthwise_conv2d" }.map(\.name) ?? [])
    for (name, tensor) in theirs.entries {
      let owner = String(name.prefix(upTo: name.lastIndex(of: "/") ?? name.startIndex))
      let isDepthwise = depthwise.contains(owner) || name.hasSuffix("/depthwise_kernel")
      let values =
        reference == "keras"
        ? DeterministicWeights.keras(name, shape: tensor.shape, isDepthwise: isDepthwise, spread: spread)
        : DeterministicWeights.torch(name, shape: tensor.shape, spread: spread)
      theirs[name] = Tensor(values, shape: tensor.shape)
    }
    let imported = try map.imported(theirs)
    #expect(imported.unmatched.isEmpty)
    #expect(Set(imported.archive.names) == Set(entries.map(\.name)))
    for entry in entries { entry.value = try #require(imported.archive[entry.name]) }
  }
}
