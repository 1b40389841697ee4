import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

/// Full-size networks with deterministic weights against logits that their reference implementations computed with the same weights
/// (`tools/reference/classifier_fixtures.py`).
@Suite("Classifiers against their references")
struct ClassifierTests {
  @Test(
    "logits within 1e-4 of the largest value, with Winograd transforms and without",
    arguments: ReferenceNetwork.names)
  func logits(name: String) throws {
    let reference = try ReferenceNetwork(name)
    let (model, card) = (reference.model, reference.card)
    let counts = try #require(ReferenceNetwork.expected[name + ".parameters"]).values(of: Int64.self)
    #expect(model.parameterCount == Int(counts[0]))
    let logits = try #require(ReferenceNetwork.expected[name + ".logits"])
    try #require(logits.shape == [card.classes])
    let expected = logits.reshaped([1, card.classes])
    let input = Tensor(DeterministicWeights.image(shape: [1] + card.input), shape: [1] + card.input)
    #expect(relativeDifference(model(input), expected) < 1e-4)
    withExactArithmetic { #expect(relativeDifference(model(input), expected) < 1e-4) }
    if let auxiliary = ReferenceNetwork.expected[name + ".auxiliary"] {
      let heads = try #require(model as? any AuxiliaryClassifiers).trainingLogits(input).auxiliary
      #expect(relativeDifference(concatenate(heads.map(\.logits), axis: 0), auxiliary) < 1e-4)
    }
    CachingAllocator.trim()
  }

  /// What no reference can show, and what shows it instead.
  private static let shownElsewhere: [String: String] = [
    "squeezenet1_1 keras": "ClassifierAssetTests: Keras 3 refuses the slashes in this network's names",
    "keras_squeezenet": "ClassifierAssetTests",
    "tiny_darknet darknet": "TinyDarknetTests",
    "tiny_darknet keras": "TinyDarknetTests",
    "keras_tiny_darknet": "TinyDarknetTests",
    "keras_lenet5": "DialectChoiceTests",
    "torchvision_legacy_densenet": "WeightFormTests",
    "keras1_xception": "NameMapTests: the same layers under older names",
  ]

  @Test("every dialect of every model, and every name map, has a reference or is shown elsewhere")
  func coverage() throws {
    var shown = Set(Self.shownElsewhere.keys)
    for name in ReferenceNetwork.names {
      let dot = try #require(name.firstIndex(of: "."))
      let reference = String(name[..<dot])
      let entry = try Catalogue.entry(String(name[name.index(after: dot)...]))
      let dialect = ReferenceNetwork.dialect(of: entry, reference)
      shown.insert("\(entry.name) \(dialect.name)")
      if let map = try ReferenceNetwork.nameMap(of: dialect, reference) { shown.insert(map) }
    }
    let all = Catalogue.entries(.classification).flatMap { entry in
      entry.networks.flatMap { ["\(entry.name) \($0.name)"] + $0.nameMaps }
    }
    #expect(Set(all) == shown)
  }
}

@Suite("Cards")
struct CardTests {
  @Test(
    "parameters and multiply-adds of other tasks' networks, at the card's input",
    arguments: Catalogue.entries.filter { $0.task != .classification }.map(\.name))
  func otherTasks(name: String) throws {
    let entry = try Catalogue.entry(name)
    let card = try entry.card()
    #expect(card.name == name)
    let loaded = try Zoo.untrainedNetwork(entry)
    let inputs = loaded.exampleInputs()
    #expect(inputs.tensors[0].shape == [1] + card.input)
    try loaded.check(inputs)
    let summary = Summary(of: loaded.network, inputs: inputs)
    #expect(summary.parameters == card.parameters)
    let multiplyAdds = Double(summary.multiplyAdds) / 1e9
    #expect(abs(multiplyAdds - card.gigaMultiplyAdds) < max(1e-3 * card.gigaMultiplyAdds, 1e-6))
    for weights in card.weights {
      #expect(
        entry.dialect(named: weights.dialect) != nil
          && weights.parameters ?? card.parameters == card.parameters)
    }
  }

  @Test(
    "parameters and multiply-adds are the published ones",
    arguments: Catalogue.entries(.classification).map(\.name))
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
