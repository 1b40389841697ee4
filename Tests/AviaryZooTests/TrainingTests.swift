import AviaryLayers
import AviaryTensors
import AviaryTraining
import AviaryWeights
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

/// One step of every family, and the auxiliary classifiers of those that have some.
@Suite("Training steps of the zoo")
struct TrainingTests {
  /// The model of each family with the fewest multiply-adds, by the type that builds it.
  static let smallest: [String] = {
    let costs = Catalogue.entries(.classification).map { entry in
      (entry.name, String(describing: type(of: try! entry.makeModel())), try! entry.card().gigaMultiplyAdds)
    }
    return Dictionary(grouping: costs, by: \.1).values.map { $0.min { $0.2 < $1.2 }!.0 }.sorted()
  }()

  @Test("a step gives every trained value a finite gradient", arguments: smallest)
  func gradients(name: String) throws {
    let entry = try Catalogue.entry(name)
    let card = try entry.card()
    let model = try withRandomSeed(1) { try entry.makeModel(classes: 4) }
    let network = model as? any AuxiliaryClassifiers
    // Auxiliary classifiers are made for features of the full input.
    let side = network == nil ? entry.smallestSide.map { $0 + 20 } ?? card.input[1] : card.input[1]
    let input = sample([2, card.input[0], side, side])
    let labels = Tensor([Int64(0), 3])
    model.train()
    let (value, gradients) = withRandomSeed(2) {
      valueAndGradient(of: model) { () -> Tensor in
        guard let network else { return softmaxCrossEntropy(model(input), labels: labels) }
        let output = network.trainingLogits(input)
        return output.auxiliary.reduce(softmaxCrossEntropy(output.logits, labels: labels)) {
          $0 + softmaxCrossEntropy($1.logits, labels: labels) * $1.lossWeight
        }
      }
    }
    #expect(value.item().isFinite)
    for (name, parameter) in model.namedParameters {
      let gradient = try #require(gradients[parameter], "\(name)")
      #expect(gradient.shape == parameter.shape && gradient.abs().sum().item().isFinite, "\(name)")
    }
    CachingAllocator.trim()
  }

  @Test("the trainer adds 0.3 of each auxiliary loss of GoogLeNet, unless a part is frozen")
  func auxiliaryLosses() throws {
    let model = withRandomSeed(1) { GoogLeNet(classes: 2, dropout: 0, auxiliaryDropout: 0) }
    let data = TensorDataset(inputs: sample([2, 3, 64, 64]), labels: [0, 1], classNames: ["a", "b"])
    func loss(usingAuxiliary: Bool) throws -> Float {
      let trainer = Trainer(model, SGD(learningRate: 0))
      if usingAuxiliary { trainer.learner.useAuxiliaryClassifiers() }
      return try trainer.fit(data, epochs: 1)[0].training.loss
    }
    let plain = try loss(usingAuxiliary: false)
    let weighted = try loss(usingAuxiliary: true)
    model.train()
    let batch = try data.batch([0, 1])
    let output = model.trainingLogits(batch.inputs)
    #expect(output.auxiliary.map(\.lossWeight) == [0.3, 0.3])
    let auxiliary = output.auxiliary.reduce(Float(0)) {
      $0 + softmaxCrossEntropy($1.logits, labels: batch.labels).item() * $1.lossWeight
    }
    #expect(abs(weighted - plain - auxiliary) < 1e-4)
    model.freeze("fc")
    #expect(try loss(usingAuxiliary: true) == plain)
  }

  @Test(
    "weights without auxiliary classifiers load; the report names what they lack",
    arguments: [
      ("googlenet", 13_004_888, 6_624_904), ("inception_v3", 27_161_264, 23_834_568),
    ])
  func withoutAuxiliary(name: String, whole: Int, inference: Int) throws {
    let entry = try Catalogue.entry(name)
    let model = try withRandomSeed(1) { try entry.makeModel(classes: 1000) }
    #expect(model.parameterCount == whole)
    let network = try #require(model as? any AuxiliaryClassifiers)
    let heads = network.auxiliaryClassifiers.map { $0.name + "." }
    let entries = model.stateEntries.map { (name: $0.name, tensor: $0.value) }
    let all = try load(entry, entries)
    #expect(all.report?.absent == [] && all.model.parameterCount == whole)
    let kept = entries.filter { entry in !heads.contains { entry.name.hasPrefix($0) } }
    let loaded = try load(entry, kept)
    #expect(loaded.report?.absent.count == entries.count - kept.count)
    #expect(loaded.model.parameterCount == inference)
    let input = sample([1, 3, 96, 96])
    #expect(loaded.model(input).values() == model(input).values())
    // A part of a classifier is no classifier.
    let error = #expect(throws: WeightsError.self) { try load(entry, Array(entries.dropFirst())) }
    #expect(error?.description.contains("missing \(entries[0].name)") == true)
  }

  @Test("without auxiliary classifiers a model is saved, loaded and described as it is")
  func savedWithoutAuxiliary() throws {
    let loaded = try Zoo.untrained(try Catalogue.entry("googlenet"))
    try #require(loaded.model as? any AuxiliaryClassifiers).removeAuxiliaryClassifiers()
    let path = FileManager.default.temporaryDirectory.appending(path: "aviary-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try loaded.save(to: path)
    let again = try Zoo.load("googlenet", weights: path)
    #expect(again.model.parameterCount == 6_624_904 && again.preprocessing == loaded.preprocessing)
    // Two heads of a convolution, its normalization's four tensors and two linear layers.
    #expect(again.report?.absent.count == 18)
  }

  @Test(
    "a new head fits every model, whose kept layers keep their names",
    arguments: Catalogue.entries(.classification).map(\.name))
  func newHead(name: String) throws {
    let entry = try Catalogue.entry(name)
    let whole = try Zoo.untrained(entry)
    let names = Set(whole.model.stateEntries.map(\.name))
    let tuned = try whole.withHead([7, 3])
    #expect(Summary(of: tuned.model, inputShape: [1] + whole.inputShape).outputShape == [1, 3])
    let kept = tuned.model.stateEntries.map(\.name).filter { !$0.hasPrefix("head.") }
    #expect(!kept.isEmpty && Set(kept).isSubset(of: names))
    for stage in tuned.model.stages.dropLast() {
      try tuned.model.freeze(stages: stage.name, through: stage.name)
    }
    let trained: [String] = tuned.model.namedParameters.filter { !$0.parameter.isFrozen }.map(\.name)
    #expect(trained == ["head.1.weight", "head.1.bias", "head.3.weight", "head.3.bias"])
  }

  private func load(_ entry: ZooEntry, _ tensors: [(name: String, tensor: Tensor)]) throws -> LoadedClassifier
  {
    let path = FileManager.default.temporaryDirectory.appending(path: "aviary-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try WeightFile.write(try WeightArchive(tensors), to: path, as: .portable)
    return try Zoo.load(entry, try WeightFile.open(path))
  }
}
