import AviaryLayers
import AviaryTensors
import AviaryTraining
import AviaryVision
import AviaryZoo
import Foundation
import Testing

/// How long training waits for its pictures; run with AVIARY_LOADING=1, on an otherwise idle machine.
@Suite(
  "Pictures are decoded and augmented while the network learns",
  .enabled(if: ProcessInfo.processInfo.environment["AVIARY_LOADING"] != nil))
struct LoadingTests {
  private static let side = 224
  private static let batchSize = 16

  /// A folder of JPEGs of 500×375 pixels, about ImageNet's size.
  private func folder(of count: Int) throws -> String {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("loading-\(UUID())").path
    let generator = SceneGenerator(width: 500, height: 375)
    for index in 0..<count {
      let name = "\(path)/class\(index % 5)"
      try FileManager.default.createDirectory(atPath: name, withIntermediateDirectories: true)
      try generator.picture(index).image.write(to: "\(name)/\(index).jpg")
    }
    return path
  }

  private func seconds(_ body: () throws -> Void) rethrows -> Double {
    let duration = try ContinuousClock().measure(body).components
    return Double(duration.seconds) + Double(duration.attoseconds) * 1e-18
  }

  @Test("ResNet-18 waits less than 5 % of the time for a folder of pictures at 224×224")
  func waiting() throws {
    let path = try folder(of: 12 * Self.batchSize)
    defer { try? FileManager.default.removeItem(atPath: path) }
    let pictures = try FolderDataset(path) { _ in Tensor(Float(0)) }
    let data = AugmentedPictures<Batch>(
      pictures,
      augmentation: .sequence([
        .imageNet(side: Self.side),
        .colourJitter(ColourJitter(brightness: 0.4, contrast: 0.4, saturation: 0.4)),
      ]), preprocessing: .torchvision.sized(resize: .none, crop: nil))
    let model = try Zoo.untrained(try Catalogue.entry("resnet18"), Adaptation(classes: 5)).model
    let learner = ClassifierLearner(model, SGD(learningRate: 0.01))
    model.train()
    let one = try data.batch(Array(0..<Self.batchSize))
    for _ in 0..<2 { _ = try learner.learn(from: one) }
    let alone = try seconds { for _ in 0..<10 { _ = try learner.learn(from: one) } } / 10
    let loading = try seconds { _ = try data.batch(Array(0..<Self.batchSize), epoch: 0, seed: 0) }
    for workers in [0, 1, 2] {
      let batches = DataLoader(data, batchSize: Self.batchSize, workers: workers).epoch(1)
      // The first batch is nobody's to hide.
      var batch = try batches.next()
      let before = batches.secondsWaited
      var steps = 0
      let total = try seconds {
        while let now = batch {
          _ = try learner.learn(from: now)
          steps += 1
          batch = try batches.next()
        }
      }
      let waited = batches.secondsWaited - before
      let share = 100 * waited / total
      print(
        "\(workers) workers: \(steps) steps of \(Int(1000 * total / Double(steps))) ms, waited \(share) % of the time; "
          + "a step alone takes \(Int(1000 * alone)) ms, a batch \(Int(1000 * loading)) ms")
      if workers == 1 { #expect(share < 5) }
    }
  }
}
