import AviaryLayers
import AviaryTensors
import AviaryTraining
import TestSupport
import Testing

@Suite("Moving averages of weights")
struct AverageTests {
  private func makeAverage(_ run: OptimizerFixture.Run, of model: some Module) -> ExponentialMovingAverage {
    func number(_ name: String) -> Double? { run.options[name]?.float.map { Double("\($0)") ?? 0 } }
    let warmup: ExponentialMovingAverage.Warmup =
      switch run.options["warmup"]?.text {
      case "power": .power(gamma: number("gamma") ?? 1, exponent: number("exponent") ?? 2.0 / 3)
      case "ratio": .ratio
      default: .none
      }
    return ExponentialMovingAverage(
      of: model, decay: number("decay") ?? 0, warmup: warmup, minimumDecay: number("minimum") ?? 0,
      firstStep: run.options["first"]?.integer ?? 0)
  }

  @Test(
    "twenty steps are torch's and diffusers', also saved and restored half way",
    arguments: OptimizerFixture.averages)
  func trajectory(run: OptimizerFixture.Run) throws {
    let adam = try #require(OptimizerFixture.runs.first { $0.name == "adam" })
    let weights = try OptimizerFixture.tensor("\(adam.index).weight")
    let expected = try OptimizerFixture.tensor("average.\(run.index)")
    let model = try OptimizerFixture.makeModel()
    var average = makeAverage(run, of: model)
    let uninterrupted = makeAverage(run, of: model)
    for step in 0..<20 {
      if step == 10 {
        let saved = average.state(of: model)
        average = makeAverage(run, of: model)
        try average.restore(saved, of: model)
      }
      model.weight.value = weights[step].reshaped([2, 3])
      average.update(model)
      uninterrupted.update(model)
      average.withAverages(in: model) {
        #expect(relativeDifference(model.weight.value.flattened(), expected[step]) < 1e-5, "step \(step + 1)")
      }
    }
    #expect(average.steps == 20)
    let (one, other) = (average.state(of: model), uninterrupted.state(of: model))
    #expect(one.tensors.map { $0.tensor.values() } == other.tensors.map { $0.tensor.values() })
  }

  @Test("weights come back bit for bit, statistics are copied, and an average goes on")
  func swapping() throws {
    let model = withRandomSeed(3) { Sequential(Linear(4, 6), BatchNorm(6), Linear(6, 2)) }
    let average = ExponentialMovingAverage(of: model, decay: 0.9)
    let optimizer = SGD(learningRate: 0.1)
    func values() -> [[Float]] { model.stateEntries.map { $0.value.values() } }
    for step in 0..<5 {
      model.train()
      let (_, gradients) = valueAndGradient(of: model) {
        model(sample([8, 4], seed: UInt64(step))).square().mean()
      }
      optimizer.update(model, gradients)
      average.update(model)
    }
    model.evaluate()
    let own = values()
    let names = model.stateEntries.map(\.name)
    average.withAverages(in: model) {
      for (name, (a, b)) in zip(names, zip(values(), own)) {
        #expect((a == b) == name.contains("running"), "\(name)")
      }
    }
    #expect(values() == own)
    struct Enough: Error {}
    #expect(throws: Enough.self) {
      try average.withAverages(in: model) { () throws(Enough) in throw Enough() }
    }
    #expect(values() == own)

    // Training goes on with the model's own weights: the average is not changed with them.
    let saved = average.state(of: model).tensors.map { $0.tensor.values() }
    let (_, gradients) = valueAndGradient(of: model) { model(sample([8, 4])).square().mean() }
    optimizer.update(model, gradients)
    #expect(average.state(of: model).tensors.map { $0.tensor.values() } == saved)
    #expect(values() != own)
  }

  @Test("a damaged state is refused by name")
  func damaged() throws {
    let model = try OptimizerFixture.makeModel()
    let average = ExponentialMovingAverage(of: model, decay: 0.9)
    average.update(model)
    var state = average.state(of: model)
    #expect(state.tensors.map(\.name) == ["average.weight", "average.bias"])
    state.tensors[1].tensor = .zeros([3])
    #expect(throws: SavedStateError.shape("average.bias", given: [3], expected: [2])) {
      try average.restore(state, of: model)
    }
    state.tensors.removeLast()
    #expect(throws: SavedStateError.missing("average.bias")) { try average.restore(state, of: model) }
    #expect(average.steps == 1)
  }
}
