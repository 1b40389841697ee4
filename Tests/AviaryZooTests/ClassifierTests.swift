import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights
import AviaryZoo
import Foundation
import TestSupport
import Testing

/// Full-size networks with deterministic weights against logits that their reference implementations computed with the same weights
/// (`tools/reference/classifier_fixtures.py`).
@Suite("Classifiers against their references")
struct ClassifierTests {
  /// `<reference>.<model>.logits` and `<reference>.<model>.parameters` of all families.
  private static let expected = try! Bundle.module
    .urls(forResourcesWithExtension: "safetensors", subdirectory: "Fixtures/classifiers")!
    .reduce(into: [String: Tensor]()) { result, url in
      for (name, tensor) in try WeightFile.open(url.path!).archive.entries { result[name] = tensor }
    }

  /// `<reference>.<model>`.
  static let names = expected.keys.filter { $0.hasSuffix(".logits") }
    .map { String($0.dropLast(".logits".count)) }.sorted()

  @Test("logits within 1e-4 of the largest value, with Winograd transforms and without", arguments: names)
  func logits(name: String) throws {
    let dot = try #require(name.firstIndex(of: "."))
    let reference = String(name[..<dot])
    let entry = try Catalogue.entry(String(name[name.index(after: dot)...]))
    let card = try entry.card()
    let prefix = ["torchvision": "tv"][reference] ?? reference
    let dialect = entry.dialects.first { $0.name.hasPrefix(prefix) } ?? entry.dialects[0]
    let model = dialect.make(card.classes)
    try fill(model, dialect, reference, spread: Self.expected[name + ".spread"]?.item() ?? 1)

    let counts = try #require(Self.expected[name + ".parameters"]).values(of: Int64.self).map(Int.init)
    #expect(model.parameterCount == counts[0])
    let expected = try #require(Self.expected[name + ".logits"]).reshaped([1, card.classes])
    let input = Tensor(DeterministicWeights.image(shape: [1] + card.input), shape: [1] + card.input)
    #expect(relativeDifference(model(input), expected) < 1e-4)
    withExactArithmetic { #expect(relativeDifference(model(input), expected) < 1e-4) }
    if let auxiliary = Self.expected[name + ".auxiliary"] {
      let heads = try #require(model as? any AuxiliaryClassifiers).trainingLogits(input).auxiliary
      #expect(relativeDifference(concatenate(heads.map(\.logits), axis: 0), auxiliary) < 1e-4)
    }
    CachingAllocator.trim()
  }

  /// Weights are made in the reference's names and layouts, so a name map is part of what is tested.
  private func fill(_ model: any StagedModel, _ dialect: Dialect, _ reference: String, spread: Float) throws {
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

@Suite("Cards")
struct CardTests {
  @Test("parameters and multiply-adds are the published ones", arguments: Catalogue.entries.map(\.name))
  func published(name: String) throws {
    let entry = try Catalogue.entry(name)
    let card = try entry.card()
    #expect(card.name == name)
    let summary = Summary(of: try entry.makeModel(), inputShape: [1] + card.input)
    #expect(summary.parameters == card.parameters)
    #expect(summary.outputShape == [1, card.classes])
    // Published to three decimals of 10⁹; MobileNet's paper cuts off instead of rounding.
    #expect(abs(Double(summary.multiplyAdds) / 1e9 - card.gigaMultiplyAdds) < 1e-3)
    for weights in card.weights {
      let dialect = try #require(entry.dialect(named: weights.dialect), "\(weights.dialect)")
      guard let published = weights.parameters else { continue }
      let model = dialect.make(card.classes)
      // torchvision counts parameters, Keras running statistics too.
      let count =
        weights.framework == "keras"
        ? model.stateEntries.reduce(0) { $0 + $1.shape.elementCount } : model.parameterCount
      #expect(count == published)
    }
  }

  @Test("an unknown name suggests the nearest")
  func unknownName() {
    let error = #expect(throws: UnknownModel.self) { try Catalogue.entry("resnet5O") }
    #expect(error?.nearest == "resnet50")
  }
}

@Suite("Other forms of the same weights")
struct WeightFormTests {
  @Test("torchvision's published DenseNet files name their layers norm.1 and conv.2")
  func legacyDenseNet() throws {
    let model = try withRandomSeed(1) { try Zoo.model("densenet121") }
    var renamed = 0
    let entries = model.stateEntries.map { entry -> (name: String, tensor: Tensor) in
      var name = entry.name
      for part in ["norm1", "norm2", "conv1", "conv2"] {
        name = name.replacingOccurrences(of: ".\(part).", with: ".\(part.dropLast()).\(part.last!).")
      }
      renamed += name == entry.name ? 0 : 1
      return (name, entry.value)
    }
    #expect(renamed == 58 * 10)
    let archive = try WeightArchive(entries)
    let found = try #require(Zoo.identify(archive))
    #expect(found.entry.name == "densenet121" && found.dialect.name == "tv_v1")
    let map = try #require(try found.dialect.loadNameMap(theirs: "torchvision_legacy"))
    let ours = try map.imported(archive)
    #expect(Set(ours.archive.names + ours.unmatched) == Set(model.stateEntries.map(\.name)))
    let back = try map.exported(ours.archive)
    #expect(back.unmatched.isEmpty && Set(back.archive.names).isSubset(of: archive.names))
  }

  /// x · 0.229/0.5 + (0.485 − 0.5)/0.5 and so on: what torchvision's published Inception networks do first.
  @Test("torchvision's transform_input of its usual preprocessing is our preprocessing")
  func transformInput() throws {
    let pixels = (0..<(300 * 280 * 3)).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }
    let image = Image(width: 300, height: 280, model: .rgb, pixels: pixels)
    let mean = Tensor([Float(0.485), 0.456, 0.406]).reshaped([1, 3, 1, 1])
    let deviation = Tensor([Float(0.229), 0.224, 0.225]).reshaped([1, 3, 1, 1])
    let usual = Preprocessing.torchvision(image)
    let transformed = usual * (deviation / 0.5) + (mean - 0.5) / 0.5
    let ours = try #require(try Catalogue.entry("googlenet").dialect(named: "tv_v1")).preprocessing(image)
    #expect(relativeDifference(ours, transformed) < 1e-6)
  }
}
