import AviaryLayers
import AviaryTensors
import AviaryTraining
import TestSupport
import Testing

@Suite("Freezing")
struct FreezingTests {
  private func model() -> Sequential {
    Sequential(
      Conv2d(3, 4, kernel: 3, padding: 1), BatchNorm(4), Activate(.relu), Conv2d(4, 4, kernel: 3),
      BatchNorm(4),
      GlobalAvgPool(), Linear(4, 2))
  }

  @Test("a frozen block keeps parameters and statistics bit for bit, also after train()")
  func frozenStaysFrozen() {
    let model = model()
    model.freeze("0", "1")
    model.train()
    let before = model.stateEntries.map { ($0.name, $0.value.values()) }
    let optimizer = Adam(learningRate: 0.1, weightDecay: 0.1)
    for seed in 0..<3 {
      let x = sample([4, 3, 8, 8], seed: UInt64(seed))
      let (_, gradients) = valueAndGradient(of: model) {
        softmaxCrossEntropy(model(x), labels: Tensor([Int64(0), 1, 0, 1]))
      }
      optimizer.update(model, gradients)
    }
    for (entry, old) in zip(model.stateEntries, before) {
      let isFrozen = entry.name.hasPrefix("0.") || entry.name.hasPrefix("1.")
      #expect((entry.value.values() == old.1) == isFrozen, "\(entry.name)")
    }
  }

  @Test("nothing is recorded under a frozen beginning: the peak memory of a step shows it")
  func frozenPrefixCostsNothing() {
    let model = Sequential(
      (0..<24).map { _ in Conv2d(16, 16, kernel: 3, padding: 1) } + [GlobalAvgPool(), Linear(16, 2)])
    let x = sample([4, 16, 64, 64])
    func peak() -> Int {
      CachingAllocator.resetPeak()
      let start = CachingAllocator.statistics.inUse
      // Direct algorithms: the scratch memory of Winograd's would hide what is kept of the layers.
      withExactArithmetic {
        _ = valueAndGradient(of: model) {
          softmaxCrossEntropy(model(x), labels: Tensor([Int64(0), 1, 0, 1]))
        }
      }
      return CachingAllocator.statistics.peak - start
    }
    _ = peak()
    let everything = peak()
    model.freeze((0..<23).map(String.init))
    #expect(Double(peak()) < 0.6 * Double(everything))
  }

  @Test("patterns cover names, everything below them, and stars; what matches nothing says so")
  func patterns() {
    let model = model()
    #expect(model.freeze("0") == ["0.weight", "0.bias"])
    #expect(model.freeze("*.weight") == ["0.weight", "1.weight", "3.weight", "4.weight", "6.weight"])
    #expect(model.freeze("nothing").isEmpty)
    #expect(model.unfreeze().count == 14)
    #expect(Summary(of: model, inputShape: [1, 3, 8, 8]).trainableParameters == model.parameterCount)
  }
}
