import AviaryLayers
import AviaryTensors
import AviaryTraining
import AviaryVision
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

@Suite("Learning the classes of pixels")
struct PixelLossTests {
  private let logits = withRandomSeed(1) { Tensor.normal([2, 3, 4, 5]) }
  private let labels = Tensor((0..<40).map { Int64($0 * 7 % 3) }, shape: [2, 4, 5])

  private func close(_ one: Tensor, _ other: Tensor) -> Bool {
    abs(one.item() - other.item()) < 1e-6 * max(1, abs(other.item()))
  }

  @Test("its parts are the losses of the library, added up by what they count")
  func parts() {
    let cross = softmaxCrossEntropy(logits, labels: labels)
    let dice = diceLoss(logits, labels: labels, poolsBatch: true)
    #expect(close(PixelLoss()(logits, labels: labels), cross))
    #expect(close(PixelLoss(crossEntropy: 0, dice: 1)(logits, labels: labels), dice))
    #expect(
      close(PixelLoss(crossEntropy: 0.5, dice: 2)(logits, labels: labels), cross * 0.5 + dice * 2))
    let weights: [Float] = [1, 3, 0.5]
    #expect(
      close(
        PixelLoss(classWeights: weights)(logits, labels: labels),
        softmaxCrossEntropy(logits, labels: labels, classWeights: Tensor(weights))))
  }

  @Test("the focal loss is cross-entropy that plays down what is right")
  func focal() {
    let probabilities = logits.softmax(1).values()
    let truth = labels.values(of: Int64.self)
    var sum: Float = 0
    for (place, label) in truth.enumerated() {
      let p = probabilities[(place / 20 * 3 + Int(label)) * 20 + place % 20]
      sum -= (1 - p) * (1 - p) * log(p)
    }
    #expect(close(PixelLoss(crossEntropy: 0, focal: 1)(logits, labels: labels), Tensor(sum / 40)))
  }

  @Test("a single channel is the second of two classes, as binary cross-entropy has it")
  func single() {
    let one = logits.sliced(1, 0..<1)
    let two = Tensor(labels.values(of: Int64.self).map { min($0, 1) }, shape: labels.shape)
    let expected = sigmoidCrossEntropy(one, targets: two.cast(to: .float32).expandedAxis(at: 1))
    #expect(abs(PixelLoss()(one, labels: two).item() - expected.item()) < 1e-5)
  }

  private static let fixture = try! GoldenFile(
    Bundle.module.url(forResource: "pixel_losses", withExtension: "safetensors", subdirectory: "Fixtures")!)

  private func expected(_ name: String) throws -> Tensor { try #require(Self.fixture[name], "\(name)") }

  @Test("the Dice loss of one channel is brain-segmentation-pytorch's, with its gradient")
  func diceOfOne() throws {
    let network = BrainUNet(.init(width: 1))
    let labels = try expected("dice.labels")
    let (loss, gradients) = valueAndGradients(at: [deterministicInput([2, 1, 21, 30], named: "logits")]) {
      PixelLoss(for: network)($0[0], labels: labels)
    }
    #expect(close(loss, try expected("dice.loss")))
    #expect(relativeDifference(gradients[0], try expected("dice.gradient")) < 1e-4)
  }

  @Test(
    "what is ignored counts nothing, whatever the logits are there",
    arguments: [
      PixelLoss(), PixelLoss(crossEntropy: 0, dice: 1), PixelLoss(crossEntropy: 0, focal: 1),
    ])
  func ignored(loss: PixelLoss) {
    var values = labels.values(of: Int64.self)
    for place in 20..<40 { values[place] = 255 }
    let partly = loss(logits, labels: Tensor(values, shape: labels.shape))
    #expect(close(partly, loss(logits.sliced(0, 0..<1), labels: labels.sliced(0, 0..<1))))
  }

  @Test("a small U-Net learns drawn scenes, judged by the mean IoU, with what is not said at its usual value")
  func learns() throws {
    let loss = try JSONDecoder().decode(PixelLoss.self, from: Data(#"{"dice": 1}"#.utf8))
    #expect(loss == PixelLoss(crossEntropy: 1, dice: 1))
    var generator = SceneGenerator(width: 32, height: 32)
    generator.shapes = [.circle]
    let data = AugmentedPictures<SegmentationBatch>(
      ScenePictures(generator, count: 24), augmentation: .horizontalFlip(probability: 0.5),
      preprocessing: Preprocessing())
    let network = withRandomSeed(2) { UNet(.init(classes: 2, width: 4, upsampling: .transposed)) }
    let learner = loss.learner(of: network, Adam(learningRate: 0.01))
    let before = try learner.evaluation(on: data)
    let reports = try Trainer(learner).fit(data, validation: data, epochs: 12, batchSize: 8)
    let after = try #require(reports.last?.validation?.metrics["iou"])
    #expect(after > 0.7 && after > 1.5 * (before.metrics["iou"] ?? 1), "\(before) \(reports)")
    #expect(learner.isBetter(Evaluation(loss: 2, count: 1, metrics: ["iou": 0.5]), than: before))
  }

  @Test("a loss that is no number ends the run, whatever else is measured")
  func noNumber() throws {
    let network = withRandomSeed(2) { UNet(.init(classes: 2, width: 2, upsampling: .transposed)) }
    network.outc.conv.weight.value = Tensor(repeating: Float.nan, shape: [2, 2, 1, 1])
    func data(_ shapes: [SceneShape]) -> AugmentedPictures<SegmentationBatch> {
      var generator = SceneGenerator(width: 16, height: 16)
      generator.shapes = shapes
      return AugmentedPictures(ScenePictures(generator, count: 4), preprocessing: Preprocessing())
    }
    let learner = PixelLoss().learner(of: network, Adam(learningRate: 0.01))
    func error(_ shapes: [SceneShape]) -> TrainingError? {
      #expect(throws: TrainingError.self) {
        try Trainer(learner).fit(data(shapes), epochs: 1, batchSize: 4)
      }
    }
    let message = try #require(error([.circle])?.description)
    #expect(message.contains("not a number in step 1"), "\(message)")
    // As a class is that the network does not know.
    guard case .label(let label, _, classes: 2)? = error(SceneShape.allCases) else {
      Issue.record("a label of no class was accepted")
      return
    }
    #expect(label > 1)
  }
}
