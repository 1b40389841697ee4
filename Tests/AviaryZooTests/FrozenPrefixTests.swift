import AviaryLayers
import AviaryTensors
import AviaryTraining
import TestSupport
import Testing

@testable import AviaryZoo

@Suite("Features of frozen stages")
struct FrozenPrefixTests {
  private func untrained(_ name: String) throws -> LoadedClassifier {
    try withRandomSeed(3) { try Zoo.untrained(try Catalogue.entry(name), Adaptation(classes: 4)) }
  }

  @Test(
    "the longest frozen beginning, and what it returns", arguments: ["lenet", "resnet8", "mobilenet_v1_0.25"])
  func prefix(name: String) throws {
    let loaded = try untrained(name)
    let model = loaded.model
    #expect(FrozenPrefix(model, inputShape: loaded.inputShape) == nil)
    try model.freeze(stages: model.stages[0].name, through: model.stages[1].name)
    let prefix = try #require(FrozenPrefix(model, inputShape: loaded.inputShape))
    #expect(prefix.stages == model.stages.prefix(2).map(\.name))
    let input = sample([1] + loaded.inputShape)
    let features = prefix.features(of: input.squeezed(0)).expandedAxis(at: 0)
    #expect(features.shape.dropFirst() == prefix.outputShape[...])
    let expected = withExactArithmetic { model.stages.prefix(2).reduce(input) { $1($0) } }
    #expect(relativeDifference(features, expected) < 1e-5)
    let logits = withExactArithmetic { prefix.rest(of: model)(features) }
    #expect(relativeDifference(logits, withExactArithmetic { model(input) }) < 1e-5)
    // A hole in what is frozen ends the prefix.
    try model.unfreeze(stages: model.stages[0].name...model.stages[0].name)
    #expect(FrozenPrefix(model, inputShape: loaded.inputShape) == nil)
  }

  @Test("stages in which something is dropped at random are none of it")
  func chance() throws {
    let loaded = try untrained("alexnet")
    try loaded.model.freeze(parsing: loaded.model.stages.map(\.name).joined(separator: ","))
    let prefix = try #require(FrozenPrefix(loaded.model, inputShape: loaded.inputShape))
    #expect(prefix.stages.count < loaded.model.stages.count)
    let rest = loaded.model.stages[prefix.stages.count]
    let modules = rest.layers.flatMap { [$0.layer as any Module] + $0.layer.namedModules.map(\.module) }
    #expect(modules.contains { $0 is Dropout })
  }

  @Test("kept features give the weights that features of each epoch give, bit for bit")
  func kept() throws {
    func weights(keeps: Bool) throws -> ([[Float]], [Float]) {
      let loaded = try untrained("lenet")
      try loaded.model.freeze(stages: "block1", through: "block2")
      let prefix = try #require(FrozenPrefix(loaded.model, inputShape: loaded.inputShape))
      let inputs = sample([40, 1, 28, 28])
      let data = TensorDataset(
        inputs: inputs, labels: (0..<40).map { $0 % 4 }, classNames: ["a", "b", "c", "d"])
      let features = FeatureDataset(data, prefix, keepsFeatures: keeps)
      #expect(features.count == 40 && features.byteCount == 40 * prefix.outputShape.elementCount * 4)
      let trainer = Trainer(loaded.model, Adam(learningRate: 1e-3))
      let rest = prefix.rest(of: loaded.model)
      trainer.learner.forward = { TrainingLogits(logits: rest($0)) }
      trainer.learner.predict = rest
      let reports = try trainer.fit(features, validation: features, epochs: 3, batchSize: 16)
      return (loaded.model.stateEntries.map { $0.value.values() }, reports.map(\.training.loss))
    }
    let (first, second) = (try weights(keeps: true), try weights(keeps: false))
    #expect(first.0 == second.0 && first.1 == second.1)
    #expect(first.1.last! < first.1.first!)
  }
}
