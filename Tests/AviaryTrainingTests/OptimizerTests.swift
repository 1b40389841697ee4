import AviaryLayers
import AviaryTensors
import AviaryTraining
import TestSupport
import Testing

@Suite("Optimisers")
struct OptimizerTests {
  @Test("the fixture is complete")
  func fixture() throws {
    _ = try OptimizerFixture.file.get()
    #expect(OptimizerFixture.runs.count == 31)
  }

  @Test("twenty steps are PyTorch's, or Keras'", arguments: OptimizerFixture.runs)
  func trajectory(run: OptimizerFixture.Run) throws {
    let model = try OptimizerFixture.makeModel()
    let optimizer = try run.makeOptimizer()
    let losses = try OptimizerFixture.tensor("\(run.index).loss").values()
    let weights = try OptimizerFixture.tensor("\(run.index).weight")
    let biases = try OptimizerFixture.tensor("\(run.index).bias")
    for step in 0..<20 {
      let loss = try run.step(step, optimizer, model)
      #expect(abs(loss - losses[step]) <= 1e-5 * max(losses[step], 0.1), "loss of step \(step + 1)")
      let bias = try #require(model.bias)
      for (actual, expected) in [(model.weight, weights[step]), (bias, biases[step])] {
        let difference = relativeDifference(actual.value.flattened(), expected)
        #expect(difference <= 1e-5, "values after step \(step + 1)")
      }
    }
  }

  @Test("parameters without a gradient stay as they are, and momentum belongs to its parameter")
  func untouched() {
    let model = Sequential(Linear(3, 3), Linear(3, 2))
    model.freeze("0")
    let before = model.stateEntries.map { $0.value.values() }
    let optimizer = SGD(learningRate: 0.1, momentum: 0.9, weightDecay: 0.1)
    for _ in 0..<2 {
      let (_, gradients) = valueAndGradient(of: model) { model(sample([4, 3])).square().sum() }
      optimizer.update(model, gradients)
    }
    let after = model.stateEntries.map { $0.value.values() }
    #expect(after[..<2] == before[..<2])
    #expect(after[2] != before[2])
    optimizer.update(model, Gradients())
    #expect(model.stateEntries.map { $0.value.values() } == after)
  }

  @Test("gradients longer than the limit are scaled down to it, shorter ones stay; elements are cut off")
  func clipping() {
    let model = Linear(3, 2)
    let x = sample([4, 3])
    var (_, gradients) = valueAndGradient(of: model) { model(x).square().sum() }
    let (norm, first) = (gradients.norm, gradients[model.weight]?.values() ?? [])
    gradients.clip(norm: 2 * norm)
    #expect(gradients[model.weight]?.values() == first)
    gradients.clip(norm: norm / 2)
    #expect(abs(gradients.norm - norm / 2) < 1e-4 * norm)
    let half = gradients[model.weight]?.values() ?? []
    gradients.clip(value: 0.1)
    #expect(gradients[model.weight]?.values() == half.map { min(max($0, -0.1), 0.1) })
  }

  @Test("small batches together are one large batch, whatever their sizes")
  func accumulation() throws {
    let model = Linear(5, 3)
    let (x, y) = (sample([12, 5]), sample([12, 3], seed: 2))
    func gradients(_ range: Range<Int>) -> Gradients {
      valueAndGradient(of: model) { meanSquaredError(model(x.sliced(0, range)), y.sliced(0, range)) }
        .gradients
    }
    var accumulation = GradientAccumulation()
    for range in [0..<5, 5..<10, 10..<12] { accumulation.add(gradients(range), weight: Float(range.count)) }
    let (mean, whole) = (accumulation.takeMean(), gradients(0..<12))
    for parameter in model.parameters {
      #expect(relativeDifference(try #require(mean[parameter]), try #require(whole[parameter])) < 1e-6)
    }
    #expect(accumulation.isEmpty)
  }

  @Test("groups multiply their factors, the last weight decay counts; stages decay from the top")
  func groups() {
    let groups: [ParameterGroup] =
      [.withoutDecay] + .layerwise(decay: 0.5, [["stem"], ["block1", "block2"], ["head"]])
    let model = Sequential(Linear(2, 2), Linear(2, 2))
    #expect(groups.count == 4)
    func rate(_ name: String) -> Float {
      groups.filter { $0.parameters.contains(name, [2, 2]) }.reduce(1) { $0 * $1.rateFactor }
    }
    #expect(
      ["stem.weight", "block1.a", "block2.0.b", "head.bias", "other"].map(rate) == [0.25, 0.5, 0.5, 1, 1])

    // Two groups on one parameter are as one with the product, and a decay of 0 holds for vectors.
    let optimizer = SGD(learningRate: 1, weightDecay: 0.5)
    optimizer.groups = [
      ParameterGroup(.named("0"), rateFactor: 0.5), ParameterGroup(.matrices, rateFactor: 0.5), .withoutDecay,
    ]
    for parameter in model.parameters { parameter.value = .ones(parameter.shape) }
    var gradients = Gradients()
    for parameter in model.parameters { gradients[parameter] = .ones(parameter.shape) }
    optimizer.update(model, gradients)
    let expected: [Float] = [0.625, 0.5, 0.25, 0]
    #expect(model.parameters.map { $0.value.values()[0] } == expected)
  }

  @Test("rows longer than the limit are scaled down to it, others and frozen ones stay")
  func maxNorm() {
    let model = Sequential(Linear(2, 2), Linear(2, 1))
    model.parameters[0].value = Tensor([Float(3), 4, 0.3, 0.4], shape: [2, 2])
    model.parameters[2].value = Tensor([Float(30), 40], shape: [1, 2])
    model.freeze("1")
    MaxNorm(2).apply(to: model)
    let scaled = model.parameters[0].value.values()
    #expect(zip(scaled, [1.2, 1.6, 0.3, 0.4]).allSatisfy { abs($0 - $1) < 1e-6 })
    #expect(model.parameters[2].value.values() == [30, 40])
  }
}

@Suite("L-BFGS on a tensor")
struct LBFGSTests {
  /// Rosenbrock's banana-shaped valley.
  private func rosenbrock(_ x: Tensor) -> Tensor {
    let (a, b) = (x.sliced(0, 0..<1), x.sliced(0, 1..<2))
    return ((b - a.square()).square() * 100 + (1 - a).square()).sum()
  }

  @Test("finds the floor of a curved valley")
  func valley() {
    let optimizer = LBFGS(lineSearch: .strongWolfe)
    var point = Tensor([Float(-1.2), 1])
    for _ in 0..<4 { _ = optimizer.step(&point) { rosenbrock($0) } }
    #expect(point.values().allSatisfy { abs($0 - 1) < 1e-3 })
  }

  @Test("a loss that is not finite, and an error, leave the point where it was")
  func failures() throws {
    struct Enough: Error {}
    let optimizer = LBFGS(maximumIterations: 4, lineSearch: .strongWolfe)
    var point = Tensor([Float(-1.2), 1])
    #expect(optimizer.step(&point) { rosenbrock($0) * .nan }.item().isNaN)
    #expect(point.values() == [-1.2, 1])
    var calls = 0
    #expect(throws: Enough.self) {
      _ = try optimizer.step(&point) { x throws(Enough) in
        calls += 1
        if calls == 3 { throw Enough() }
        return rosenbrock(x)
      }
    }
    #expect(point.values() == [-1.2, 1])

    let model = Linear(2, 1)
    let before = model.weight.value.values()
    calls = 0
    #expect(throws: Enough.self) {
      _ = try optimizer.step(model) { () throws(Enough) in
        calls += 1
        if calls == 3 { throw Enough() }
        return valueAndGradient(of: model) { model(sample([3, 2])).square().sum() }
      }
    }
    #expect(model.weight.value.values() == before)
  }

  @Test("a gradient alone is enough without a line search")
  func gradientOnly() throws {
    let (one, other) = (try OptimizerFixture.makeModel(), try OptimizerFixture.makeModel())
    let (first, second) = (
      LBFGS(learningRate: 0.5, maximumIterations: 1), LBFGS(learningRate: 0.5, maximumIterations: 1)
    )
    let x = sample([5, 3])
    for _ in 0..<5 {
      func evaluate(_ model: Linear) -> (value: Tensor, gradients: Gradients) {
        valueAndGradient(of: model) { model(x).tanh().square().mean() }
      }
      _ = first.step(one) { evaluate(one) }
      second.update(other, evaluate(other).gradients)
    }
    #expect(one.weight.value.values() == other.weight.value.values())
  }
}
