import AviaryLayers
import AviaryTensors
import AviaryTraining
import TestSupport
import Testing

/// Numbers around 3, without labels.
private struct Numbers: TrainingData {
  let count = 256

  func batch(_ indices: [Int]) -> Tensor {
    Tensor(indices.map { 3 + 0.5 * Float(($0 * 37) % 101 - 50) / 50 }, shape: [indices.count, 1])
  }
}

/// Two networks with an optimiser each (Goodfellow et al. 2014): one makes numbers, the other tells them from real ones.
private final class Adversaries: Learner {
  let generator = withRandomSeed(1) { Sequential(Linear(2, 16), Activate(.relu), Linear(16, 1)) }
  let discriminator = withRandomSeed(2) {
    Sequential(Linear(1, 16), Activate(.leakyReLU(slope: 0.2)), Linear(16, 1))
  }
  let (generatorOptimizer, discriminatorOptimizer) = (
    Adam(learningRate: 0.005, betas: (0.5, 0.999)), Adam(learningRate: 0.005, betas: (0.5, 0.999))
  )

  var modules: [any Module] { [generator, discriminator] }
  var optimizers: [any Optimizer] { [generatorOptimizer, discriminatorOptimizer] }

  func samples(_ count: Int) -> Tensor { generator(.normal([count, 2])) }

  func learn(from batch: Tensor) -> Evaluation {
    let count = batch.shape[0]
    let fakes = samples(count)
    let (ones, zeros) = (Tensor.ones([count, 1]), Tensor.zeros([count, 1]))
    let (loss, gradients) = valueAndGradient(of: discriminator) {
      sigmoidCrossEntropy(discriminator(batch), targets: ones)
        + sigmoidCrossEntropy(discriminator(fakes), targets: zeros)
    }
    discriminatorOptimizer.update(discriminator, gradients)
    let (deception, other) = valueAndGradient(of: generator) {
      sigmoidCrossEntropy(discriminator(samples(count)), targets: ones)
    }
    generatorOptimizer.update(generator, other)
    return Evaluation(loss: loss.item(), count: count, metrics: ["deception": deception.item()])
  }

  /// How far the mean of what is made is from that of the batch.
  func evaluation(of batch: Tensor) -> Evaluation {
    let distance = (withRandomSeed(5) { samples(500) }.mean() - batch.mean()).abs().item()
    return Evaluation(loss: distance, count: batch.shape[0])
  }
}

@Suite("Learning that is not about labels")
struct LearnerTests {
  @Test("two networks with an optimiser each, on batches of one's own, in the same loop")
  func adversaries() throws {
    let learner = Adversaries()
    let trainer = Trainer(learner)
    let before = try learner.evaluation(on: Numbers(), batchSize: 64).loss
    var best: [Int] = []
    trainer.onEpoch = { report, isBest in if isBest { best.append(report.epoch) } }
    let reports = try trainer.fit(Numbers(), validation: Numbers(), epochs: 60, batchSize: 32, seed: 3)
    let losses = try reports.map { try #require($0.validation).loss }
    #expect(before > 2 && losses.min()! < 0.3, "\(before), then \(losses.min()!)")
    #expect(reports[0].training.metrics.keys.sorted() == ["deception"])
    // The best epochs are those of falling loss: the loop asks the learner alone.
    #expect(best.last.map { losses[$0 - 1] } == losses.min())
  }

  @Test("sums over batches of different sizes are means over examples")
  func means() throws {
    struct Fixed: TrainingData {
      let count = 5
      func batch(_ indices: [Int]) -> [Int] { indices }
    }
    final class Counter: Learner {
      let modules: [any Module] = []
      let optimizers: [any Optimizer] = []
      func learn(from batch: [Int]) -> Evaluation { evaluation(of: batch) }
      func evaluation(of batch: [Int]) -> Evaluation {
        let mean = Float(batch.reduce(0, +)) / Float(batch.count)
        return Evaluation(loss: mean, count: batch.count, metrics: ["twice": 2 * mean])
      }
    }
    let result = try Counter().evaluation(on: Fixed(), batchSize: 2)
    #expect(result == Evaluation(loss: 2, count: 5, metrics: ["twice": 4]))
  }

  @Test("gradients of several values together are the sum of each one's")
  func severalRoots() {
    let (x, y) = (sample([3, 4]), sample([4, 2], seed: 2))
    let seeds = [sample([3, 2], seed: 3), sample([3, 4], seed: 4)]
    func gradients(_ weights: [Float]) -> [Tensor?] {
      let leaves = [Leaf(), Leaf()]
      let values = withRecording {
        let hidden = x.tracked(as: leaves[0]).tanh()
        return [hidden.matmul(y.tracked(as: leaves[1])), hidden.square()]
      }
      return backward(from: values, seeds: zip(seeds, weights).map { $0 * $1 }, to: leaves)
    }
    let (first, second, both) = (gradients([1, 0]), gradients([0, 1]), gradients([1, 1]))
    #expect(relativeDifference(both[0]!, first[0]! + second[0]!) < 1e-6)
    #expect(relativeDifference(both[1]!, first[1]!) < 1e-6)
  }
}
