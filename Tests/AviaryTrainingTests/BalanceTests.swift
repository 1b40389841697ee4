import AviaryLayers
import AviaryTensors
import AviaryTraining
import AviaryVision
import Foundation
import Testing

@Suite("Class balance, mixed batches and more data sets")
struct BalanceTests {
  private let labels = [0, 0, 0, 0, 0, 0, 1, 1, 3]
  private var data: TensorDataset {
    TensorDataset(
      inputs: Tensor((0..<36).map { Float($0) }, shape: [9, 1, 2, 2]), labels: labels,
      classNames: ["a", "b", "c", "d"])
  }

  @Test("counts, ratio and weights")
  func balance() throws {
    let balance = ClassBalance(data)
    #expect(balance.counts == [6, 2, 0, 1] && balance.imbalance == 6)
    #expect(balance.weights == [0.5, 1.5, 0, 3])
    #expect(
      balance.description
        == "a 6, b 2, c 0, d 1: the largest 6.0 times the smallest; 1 classes without examples")
    #expect(ClassBalance(labels: [], classNames: ["a"]).imbalance == 1)
  }

  @Test("balanced draws take each class as often")
  func weighted() throws {
    var counts = [0, 0, 0, 0]
    let order = ExampleOrder.balanced(data)
    for epoch in 0..<1000 {
      for index in order.indices(of: 9, epoch: epoch, seed: 1) { counts[labels[index]] += 1 }
    }
    #expect(counts[2] == 0)
    #expect([0, 1, 3].allSatisfy { abs(counts[$0] - 3000) < 150 }, "\(counts)")
    #expect(order.indices(of: 9, epoch: 4, seed: 1) == order.indices(of: 9, epoch: 4, seed: 1))
    let only = ExampleOrder.weighted([0, 0, 1, 0])
    #expect(only.indices(of: 4, epoch: 0, seed: 0) == [2, 2, 2, 2])
  }

  @Test("mixup is the weighted mean of inputs and classes, with one ratio")
  func mixup() throws {
    let batch = try data.batch([0, 6, 8])
    let mixed = BatchMixing.mixup(alpha: 0.4)(batch, using: RandomGenerator(seed: 2))
    let targets = mixed.targets(classes: 4).values()
    let share = targets[0]
    #expect(share > 0 && share < 1 && mixed.targets(classes: 4).shape == [3, 4])
    #expect(targets == [share, 0, 0, 1 - share, 1 - share, share, 0, 0, 0, 1 - share, 0, share])
    // The one before the first is the last.
    #expect(mixed.inputs.values()[0] == share * 0 + (1 - share) * 32)
    #expect(mixed.inputs.values()[4] == share * 24 + (1 - share) * 0)
  }

  @Test("cutmix's classes are the areas")
  func cutmix() throws {
    let inputs = Tensor((0..<2 * 3 * 64).map { Float($0 / 192) }, shape: [2, 3, 8, 8])
    let batch = Batch(inputs: inputs, labels: Tensor([Int64(0), 1]))
    var areas: Set<Int> = []
    for seed in 0..<40 {
      let mixed = BatchMixing.cutmix(alpha: 1)(batch, using: RandomGenerator(seed: UInt64(seed)))
      let other = mixed.inputs[0].values().reduce(0, +) / 3
      #expect(abs(mixed.targets(classes: 2).values()[1] - other / 64) < 1e-6)
      #expect(mixed.inputs[0].values()[..<64] == mixed.inputs[0].values()[64..<128])
      areas.insert(Int(other))
    }
    #expect(areas.count > 10 && areas.contains { $0 > 30 })
  }

  @Test(
    "the ratio's distribution has the mean and variance of Beta(α, α)", arguments: [0.2, 1, 4] as [Float])
  func beta(_ alpha: Float) throws {
    let generator = RandomGenerator(seed: 1)
    let one = Batch(inputs: Tensor([Float(0), 1], shape: [2, 1]), labels: Tensor([Int64(0), 1]))
    let draws = (0..<4000).map { _ in
      BatchMixing.mixup(alpha: alpha)(one, using: generator).targets(classes: 2).values()[0]
    }
    let mean = draws.reduce(0, +) / 4000
    let squares: [Float] = draws.map { ($0 - mean) * ($0 - mean) }
    let variance = squares.reduce(0, +) / 4000
    let expected: Float = 1 / (4 * (2 * alpha + 1))
    #expect(abs(mean - 0.5) < 0.02)
    #expect(abs(variance - expected) < 0.01)
  }

  @Test("a step on mixed examples is that of both classes by their shares; the same seed mixes alike")
  func mixedSteps() throws {
    let batch = try data.batch([0, 2, 3, 6, 8])
    func stepped(_ seed: UInt64, _ mixing: BatchMixing?) throws -> (Evaluation, [Float]) {
      let model = withRandomSeed(3) { Sequential(Flatten(), Linear(4, 4)) }
      let learner = ClassifierLearner(model, SGD(learningRate: 0.01))
      learner.mixing = mixing
      let result = try withRandomSeed(seed) { try learner.learn(from: batch) }
      return (result, model.parameters.flatMap { $0.value.values() })
    }
    let (result, weights) = try stepped(1, .mixup(alpha: 1))
    #expect(try stepped(1, .mixup(alpha: 1)).1 == weights)
    #expect(try stepped(2, .mixup(alpha: 1)).1 != weights)
    // By hand, with probabilities for targets.
    let model = withRandomSeed(3) { Sequential(Flatten(), Linear(4, 4)) }
    let mixed = withRandomSeed(1) { BatchMixing.mixup(alpha: 1)(batch) }
    let (loss, gradients) = valueAndGradient(of: model) {
      softmaxCrossEntropy(model(mixed.inputs), probabilities: mixed.targets(classes: 4))
    }
    SGD(learningRate: 0.01).update(model, gradients)
    #expect(abs(result.loss - loss.item()) < 1e-4 * loss.item())
    for (one, other) in zip(weights, model.parameters.flatMap({ $0.value.values() })) {
      #expect(abs(one - other) < 1e-4 * max(1, abs(other)))
    }
  }

  @Test("CIFAR-100 has two labels per picture, in a hundred classes of twenty groups")
  func cifar100() throws {
    let folder = try TemporaryFolder()
    func record(_ coarse: UInt8, _ fine: UInt8) -> [UInt8] {
      [coarse, fine] + [UInt8(10), 20, 30].flatMap { [UInt8](repeating: $0, count: 1024) }
    }
    _ = try folder.write("train.bin", record(4, 0) + record(19, 99))
    let fine = try CIFAR100(folder: folder.path, isTraining: true)
    let coarse = try CIFAR100(folder: folder.path, isTraining: true, labels: .coarse)
    #expect(fine.count == 2 && fine.classNames.count == 100 && coarse.classNames.count == 20)
    #expect(
      fine.classNames[fine.label(1)] == "worm" && coarse.classNames[coarse.label(0)] == "fruit and vegetables"
    )
    #expect(Array(fine.picture(0).image.pixels[..<6]) == [10, 20, 30, 10, 20, 30])
    for bytes in [record(20, 0), record(0, 100), Array(record(0, 0).dropLast()), []] {
      let file = try folder.write("bad.bin", bytes)
      let error = #expect(throws: DataFile.Failure.self) { try CIFAR100(files: [file]) }
      #expect(error?.path == file)
    }
    let data = AugmentedPictures<Batch>(
      fine, augmentation: .cifar, preprocessing: Preprocessing())
    #expect(data.label(1) == 99)
    #expect(try data.input(0).shape == [3, 32, 32])
  }

  @Test("Fashion-MNIST is known by its folder's name")
  func fashion() throws {
    let folder = try TemporaryFolder()
    for place in ["FashionMNIST", "digits"] {
      _ = try folder.write(
        "\(place)/t10k-images-idx3-ubyte", [0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 7])
      _ = try folder.writeCompressed("\(place)/t10k-labels-idx1-ubyte.gz", [0, 0, 8, 1, 0, 0, 0, 1, 9])
    }
    let clothes = try MNIST(folder: folder.path + "/FashionMNIST", isTraining: false)
    #expect(clothes.classNames[clothes.label(0)] == "Ankle boot" && clothes.picture(0).image.pixels == [7])
    #expect(try MNIST(folder: folder.path + "/digits/", isTraining: false).classNames[9] == "9")
    #expect(
      try MNIST(folder: folder.path + "/digits", isTraining: false, classNames: MNIST.fashionNames)
        .classNames[9]
        == "Ankle boot")
  }

  @Test("drawn pictures are data of every task")
  func scenes() throws {
    let singles = ScenePictures(.singles(), count: 10)
    let preprocessing = Preprocessing()
    let classes = AugmentedPictures<Batch>(singles, preprocessing: preprocessing)
    let labels = try classes.batch([1, 2]).labels.values(of: Int64.self)
    #expect(labels == [Int64(classes.label(1)), Int64(classes.label(2))])
    #expect(
      classes.split(validation: 0.2).training.count + classes.split(validation: 0.2).validation.count == 10)
    let scenes = ScenePictures(SceneGenerator(width: 40, height: 32), count: 4)
    let pixels = try AugmentedPictures<SegmentationBatch>(scenes, preprocessing: preprocessing).batch([0, 3])
    #expect(pixels.labels.shape == [2, 32, 40] && pixels.inputs.shape == [2, 3, 32, 40])
    let boxes = try AugmentedPictures<DetectionBatch>(scenes, preprocessing: preprocessing).batch([0, 3])
    #expect(boxes.instances.map(\.count).allSatisfy { $0 > 0 })
    let words = try AugmentedPictures<CaptionBatch>(scenes, preprocessing: preprocessing).batch([0, 3])
    #expect(words.captions.map(\.count) == [1, 1])
    #expect(throws: MissingAnnotation(example: 0, what: "class")) {
      try AugmentedPictures<Batch>(scenes, preprocessing: preprocessing).batch([0])
    }
  }
}
