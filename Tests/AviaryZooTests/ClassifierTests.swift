import AviaryLayers
import AviaryTensors
import AviaryWeights
import AviaryZoo
import Foundation
import TestSupport
import Testing

/// Full-size networks with deterministic weights against logits that the reference frameworks computed with the same weights
/// (`tools/reference/classifier_fixtures.py`).
@Suite("Classifiers against torchvision and Keras")
struct ClassifierTests {
  private static let expected = try! WeightFile.open(
    Bundle.module.url(forResource: "Fixtures/classifiers", withExtension: "safetensors")!.path
  ).archive

  static let torchvisionNames = expected.names.filter { !$0.hasPrefix("keras.") }
    .map { String($0.dropLast(".logits".count)) }
  static let kerasNames = expected.names.filter { $0.hasPrefix("keras.") }
    .map { String($0.dropFirst("keras.".count).dropLast(".logits".count)) }

  private static let input = Tensor(DeterministicWeights.image(), shape: [1, 3, 224, 224])

  /// Within 1e-4 of the largest value, with Winograd transforms and without.
  private func check(_ model: some Layer, _ reference: String) throws {
    let expected = try #require(Self.expected[reference]).reshaped([1, 1000])
    #expect(relativeDifference(model(Self.input), expected) < 1e-4)
    withExactArithmetic { #expect(relativeDifference(model(Self.input), expected) < 1e-4) }
    CachingAllocator.trim()
  }

  @Test("torchvision", arguments: ClassifierTests.torchvisionNames)
  func torchvision(name: String) throws {
    let model = try Zoo.model(name)
    for entry in model.stateEntries {
      entry.value = Tensor(DeterministicWeights.torch(entry.name, shape: entry.shape), shape: entry.shape)
    }
    try check(model, "\(name).logits")
  }

  /// Weights are made in Keras' names and layouts, so the name map is part of what is tested.
  @Test("Keras", arguments: ClassifierTests.kerasNames)
  func keras(name: String) throws {
    let entry = try Catalogue.entry(name.replacingOccurrences(of: "mobilenet_", with: "mobilenet_v1_"))
    let dialect = try #require(entry.dialects.first { $0.name.hasPrefix("keras") })
    let map = try #require(try dialect.loadNameMap())
    let model = dialect.make(1000)
    let shapes = try WeightArchive(model.stateEntries.map { ($0.name, Tensor.zeros($0.shape)) })
    let exported = try map.exported(shapes)
    #expect(exported.unmatched.isEmpty)
    var theirs = exported.archive
    for (name, tensor) in theirs.entries {
      let isDepthwise = name.contains("conv_dw") && tensor.rank == 4
      theirs[name] = Tensor(
        DeterministicWeights.keras(name, shape: tensor.shape, isDepthwise: isDepthwise), shape: tensor.shape)
    }
    let imported = try map.imported(theirs)
    #expect(imported.unmatched.isEmpty)
    for entry in model.stateEntries { entry.value = try #require(imported.archive[entry.name]) }
    try check(model, "keras.\(name).logits")
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
