import AviaryLayers
import AviaryTensors
import AviaryTraining
import TestSupport
import Testing

@Suite("Optimisers against PyTorch")
struct OptimizerTests {
  @Test("the fixture is complete")
  func fixture() throws {
    #expect(try OptimizerFixture.contents.get().optimizers.count == 9)
    #expect(OptimizerFixture.losses.count == 11)
  }

  @Test("five steps on a linear problem", arguments: OptimizerFixture.runs)
  func trajectory(run: OptimizerFixture.Run) throws {
    let problem = try OptimizerFixture.contents.get().problem.mapValues(\.tensor)
    let (inputs, targets) = (try #require(problem["inputs"]), try #require(problem["targets"]))
    let model = Linear(3, 2)
    model.weight.value = try #require(problem["weight"])
    model.bias?.value = try #require(problem["bias"])
    let optimizer = try #require(makeOptimizer(run))
    for (index, step) in run.steps.enumerated() {
      let (loss, gradients) = valueAndGradient(of: model) { meanSquaredError(model(inputs), targets) }
      optimizer.update(model, gradients)
      #expect(abs(loss.item() - step.loss) <= 1e-5 * step.loss, "loss of step \(index + 1)")
      for (actual, expected) in [(model.weight, step.weight), (try #require(model.bias), step.bias)] {
        let difference = relativeDifference(actual.value, Tensor(expected, shape: actual.shape))
        #expect(difference <= 1e-5, "values after step \(index + 1)")
      }
    }
  }

  private func makeOptimizer(_ run: OptimizerFixture.Run) -> (any Optimizer)? {
    let (rate, decay) = (run.option("lr"), run.option("weight_decay"))
    let betas = run.options["betas"]?.list?.compactMap(\.float) ?? [0.9, 0.999]
    switch run.name.split(separator: " ").first {
    case "sgd":
      return SGD(
        learningRate: rate, momentum: run.option("momentum"), weightDecay: decay,
        usesNesterov: run.options["nesterov"]?.flag ?? false)
    case "adam": return Adam(learningRate: rate, betas: (betas[0], betas[1]), weightDecay: decay)
    case "adamw": return Adam.decoupled(learningRate: rate, weightDecay: decay)
    case "rmsprop": return RMSProp(learningRate: rate, decay: run.option("alpha"))
    default: return nil
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

  @Test("gradients longer than the limit are scaled down to it, shorter ones stay")
  func clipping() {
    let model = Linear(3, 2)
    let x = sample([4, 3])
    var (_, gradients) = valueAndGradient(of: model) { model(x).square().sum() }
    let (norm, first) = (gradients.norm, gradients[model.weight]?.values() ?? [])
    gradients.clip(norm: 2 * norm)
    #expect(gradients[model.weight]?.values() == first)
    gradients.clip(norm: norm / 2)
    #expect(abs(gradients.norm - norm / 2) < 1e-4 * norm)
  }
}

@Suite("Losses against PyTorch")
struct LossTests {
  @Test("value and gradient", arguments: OptimizerFixture.losses)
  func matches(test: OptimizerFixture.Loss) throws {
    let inputs = test.inputs.mapValues(\.tensor)
    let input = try #require(inputs["input"])
    let labels = inputs["labels"]?.cast(to: .int64)
    let target = inputs["target"]
    func option(_ name: String) throws -> Float { try #require(test.options[name]?.float) }
    let (value, gradients) = try valueAndGradients(at: [input]) { tensors in
      let x = tensors[0]
      switch test.name {
      case "cross entropy":
        return softmaxCrossEntropy(x, labels: try #require(labels), smoothing: try option("smoothing"))
      case "cross entropy probabilities":
        return softmaxCrossEntropy(x, probabilities: try #require(target))
      case "binary cross entropy": return sigmoidCrossEntropy(x, targets: try #require(target))
      case "smooth l1": return smoothL1(x, try #require(target), beta: try option("beta"))
      case "mean squared error": return meanSquaredError(x, try #require(target))
      case "mean absolute error": return meanAbsoluteError(x, try #require(target))
      case "kl divergence": return klDivergence(try #require(target), x)
      case "hinge": return hingeLoss(x, labels: try #require(labels), margin: try option("margin"))
      default:
        Issue.record("no loss for \(test.name)")
        return x.sum()
      }
    }
    #expect(abs(value.item() - test.value) <= 1e-5 * max(abs(test.value), 1))
    #expect(relativeDifference(gradients[0], Tensor(test.gradient, shape: input.shape)) <= 1e-5)
  }

  @Test("losses of extreme logits are finite")
  func extremes() {
    let logits = Tensor([Float(1000), -1000, -1000, 1000], shape: [2, 2])
    #expect(softmaxCrossEntropy(logits, labels: Tensor([Int64(1), 1])).item() == 1000)
    #expect(sigmoidCrossEntropy(logits, targets: Tensor([Float(0), 1, 0, 1], shape: [2, 2])).item() == 500)
    let certain = Tensor([Float(1), 0], shape: [1, 2])
    let divergence = klDivergence(certain, Tensor([Float(0.5), 0.5], shape: [1, 2])).item()
    #expect(abs(divergence - 0.6931472) < 1e-5)
  }
}
