#if compiler(>=6.2)
  import AviaryLayers
  import AviaryTensors
  import AviaryTraining
  import TestSupport
  import Testing

  /// As the tests of the same name for tensors, for layers, losses and data.
  @Suite("Misuse of layers and data")
  struct MisuseTests {
    @Test("ends with a sentence", arguments: misuses.indices)
    func endsWithSentence(index: Int) async throws {
      let result = try await #require(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        [index] in
        misuses[index].body()
      }
      let errors = String(decoding: result.standardErrorContent, as: UTF8.self)
      #expect(errors.contains(misuses[index].sentence), "\(misuses[index].sentence): \(errors)")
    }
  }

  private final class ReversedLayer: Layer {
    func callAsFunction(_ input: Tensor) -> Tensor { input.flipped(0) }
  }

  private let data = TensorDataset(inputs: sample([3, 4]), labels: [0, 1, 1], classNames: ["a", "b"])

  private let misuses = [
    Misuse("linear: input 2×3") { _ = Linear(4, 2)(sample([2, 3])) },
    Misuse("0 to 2 features") { _ = Linear(0, 2) },
    Misuse("3 to 4 channels in 2 groups") { _ = Conv2d(3, 4, kernel: 3, groups: 2) },
    Misuse("3 to 4 channels in 0 groups") { _ = Conv2d(3, 4, kernel: 3, groups: 0) },
    Misuse("an input of 1 channels") { _ = Conv2d(3, 4, kernel: 3)(sample([1, 1, 8, 8])) },
    Misuse("batch normalization of 2×3×4×4") { _ = BatchNorm(4)(sample([2, 3, 4, 4])) },
    Misuse("a width of 10 in 3 heads") { _ = MultiHeadAttention(10, heads: 3) },
    Misuse("a width of 10 in 0 heads") { _ = MultiHeadAttention(10, heads: 0) },
    Misuse("labels 3") { _ = softmaxCrossEntropy(sample([2, 3]), labels: Tensor([Int64(0), 1, 2])) },
    Misuse("position 3") { _ = softmaxCrossEntropy(sample([2, 3]), labels: Tensor([Int64(0), 3])) },
    Misuse("the squared error of 2×3 with targets 2×4") {
      _ = meanSquaredError(sample([2, 3]), sample([2, 4]))
    },
    Misuse("the label 4 of 3 classes") {
      _ = softmaxCrossEntropy(sample([2, 3]), labels: Tensor([Int64(255), 4]), ignoring: 255)
    },
    Misuse("weights 2 for 3 classes") {
      _ = softmaxCrossEntropy(sample([1, 3]), labels: Tensor([Int64(0)]), classWeights: .ones([2]))
    },
    Misuse("3 labels for inputs") {
      _ = TensorDataset(inputs: sample([2, 4]), labels: [0, 1, 1], classNames: ["a", "b"])
    },
    Misuse("a Linear was asked for, the network is a ReversedLayer") {
      SharedNetwork(layer: ReversedLayer()).withNetwork { (_: Linear) in }
    },
    Misuse("models compute in float32 or bfloat16, not int64") {
      _ = SharedNetwork(layer: ReversedLayer(), execution: .compiled(precision: .int64))
    },
    Misuse("there is no plan of a network that is run operation by operation") {
      _ = SharedNetwork(layer: ReversedLayer(), execution: .eager()).graph(for: [])
    },
    Misuse("example 3 of 3") { _ = data.input(3) },
    Misuse("example -1 of 3") { _ = data.label(-1) },
    Misuse("example 7 of 3") { _ = Subset(data, [0, 7]) },
    Misuse("example 2 of 2") { _ = Subset(data, [0, 1]).label(2) },
    Misuse("a batch of no examples") { _ = try? data.batch([]) },
    Misuse("a share of 1.5") { _ = data.split(validation: 1.5) },
    Misuse("every 0.0 epochs") {
      _ = Schedule.step(every: .epochs(0), factor: 0.1).factor(progress: 0.5, epochs: 4)
    },
    Misuse("a run whose steps are not known") {
      _ = Schedule.step(every: .steps(3), factor: 0.1).factor(progress: 0.5, epochs: 4)
    },
    Misuse("a cycle that rises for 0.6 of the run") {
      _ = Schedule.oneCycle(rise: 0.6, hasThreePhases: true)
    },
    Misuse("L-BFGS with a line search evaluates the loss itself") {
      LBFGS(lineSearch: .strongWolfe).update(Linear(4, 2), Gradients())
    },
    Misuse("dampening is of PyTorch's momentum") {
      _ = SGD(learningRate: 1, momentum: 0.9, dampening: 0.5, convention: .rateInside)
    },
    Misuse("the mean of no gradients") {
      var accumulation = GradientAccumulation()
      _ = accumulation.takeMean()
    },
    Misuse("an average of another model's weights") {
      ExponentialMovingAverage(of: Linear(4, 2)).update(Linear(4, 3))
    },
    Misuse("the averages stand in the model") {
      let model = Linear(4, 2)
      let average = ExponentialMovingAverage(of: model)
      average.withAverages(in: model) { average.update(model) }
    },
    Misuse("in batches of 0") {
      _ = try? Trainer(Linear(4, 2), SGD(learningRate: 0.1)).fit(data, epochs: 1, batchSize: 0)
    },
    Misuse("-1 epochs") { _ = try? Trainer(Linear(4, 2), SGD(learningRate: 0.1)).fit(data, epochs: -1) },
  ]
#endif
