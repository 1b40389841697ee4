import AviaryTensors
import AviaryTraining
import AviaryVision
import Foundation
import Synchronization
import Testing

@Suite("Batches made ahead of the training that takes them")
struct DataLoaderTests {
  /// What is wrong with an example.
  private struct Damage: Error, Equatable {
    let example: Int
  }

  /// Numbers whose making can be watched.
  private final class Watched: TrainingData {
    let count: Int
    let damaged: Set<Int>
    let pause: Double
    let made = Mutex<[Int]>([])

    init(_ count: Int, damaged: Set<Int> = [], pause: Double = 0) {
      (self.count, self.damaged, self.pause) = (count, damaged, pause)
    }

    /// Until so many were made, or for ten seconds; then a moment in which more could be.
    func wait(for count: Int) {
      for _ in 0..<1000 where made.withLock({ $0.count }) < count { Thread.sleep(forTimeInterval: 0.01) }
      Thread.sleep(forTimeInterval: 0.05)
    }

    func batch(_ indices: [Int]) throws -> [Int] {
      if pause > 0 { Thread.sleep(forTimeInterval: pause) }
      made.withLock { $0 += indices }
      if let example = indices.first(where: damaged.contains) { throw Damage(example: example) }
      return indices
    }
  }

  private func all<Batch>(_ batches: LoadedBatches<Batch>) throws -> [Batch] {
    var result: [Batch] = []
    while let batch = try batches.next() { result.append(batch) }
    return result
  }

  @Test("every example once, in an order of seed and epoch, whatever the workers", arguments: [0, 1, 3])
  func order(workers: Int) throws {
    let data = Watched(50)
    func batches(_ seed: UInt64, _ epoch: Int) throws -> [[Int]] {
      try all(DataLoader(data, batchSize: 8, seed: seed, workers: workers, prefetch: 3).epoch(epoch))
    }
    let one = try batches(1, 0)
    #expect(one.map(\.count) == [8, 8, 8, 8, 8, 8, 2] && one.joined().sorted() == Array(0..<50))
    #expect(try batches(1, 0) == one)
    #expect(one == DataLoader(data, batchSize: 8, seed: 1).indices(epoch: 0))
    #expect(try batches(1, 1) != one)
    #expect(try batches(2, 0) != one)
    let dropping = DataLoader(data, batchSize: 8, order: .sequential, dropsLast: true, workers: workers)
    #expect(try all(dropping.epoch(5)) == (0..<6).map { Array(8 * $0..<8 * $0 + 8) })
    #expect(dropping.batchCount == 6)
    #expect(try all(DataLoader(Watched(0), batchSize: 8, workers: workers).epoch(0)).isEmpty)
  }

  @Test("augmented batches are the same bit for bit with any workers, and from the middle of an epoch on")
  func resumption() throws {
    let pictures = ScenePictures(SceneGenerator(width: 32, height: 32), count: 30, seed: 4)
    let data = AugmentedPictures<DetectionBatch>(
      pictures,
      augmentation: .sequence([
        .randAugment(RandAugment()), .resizedCrop(RandomResizedCrop(width: 24, height: 24)),
      ]), preprocessing: .torchvision.sized(resize: .none, crop: nil))
    func batches(_ workers: Int, from first: Int, epoch: Int = 2) throws -> [DetectionBatch] {
      try all(
        DataLoader(data, batchSize: 4, seed: 9, workers: workers, prefetch: 2)
          .epoch(epoch, startingAt: first))
    }
    let whole = try batches(0, from: 0)
    for (workers, first) in [(1, 0), (3, 0), (1, 5), (2, 3), (0, 6), (1, 8)] {
      let rest = try batches(workers, from: first)
      #expect(rest.map(\.examples) == whole[first...].map(\.examples))
      #expect(rest.map { $0.inputs.values() } == whole[first...].map { $0.inputs.values() })
      #expect(rest.map(\.instances) == whole[first...].map(\.instances))
    }
    // Another epoch: other changes of the same examples.
    let other = try batches(1, from: 0, epoch: 3)
    let (a, b) = (try data.batch([3], epoch: 2, seed: 9), try data.batch([3], epoch: 3, seed: 9))
    #expect(a.inputs.values() != b.inputs.values() && other[0].examples != whole[0].examples)
  }

  @Test("parts of data that vary do so too, by the whole's numbers, unless they are for validation")
  func parts() throws {
    let singles = ScenePictures(.singles(), count: 12)
    let data = AugmentedPictures<Batch>(
      singles, augmentation: .erasing(.cutout(share: 0.2)), preprocessing: Preprocessing())
    let part = Subset(data, [7, 3])
    let loader = DataLoader(part, batchSize: 2, seed: 3, order: .sequential)
    let batch = try #require(try loader.epoch(5).next())
    #expect(try batch.inputs.values() == data.batch([7, 3], epoch: 5, seed: 3).inputs.values())
    #expect(batch.examples == [0, 1])
    let plain = DataLoader(part, batchSize: 2, order: .sequential, isVarying: false)
    #expect(try plain.epoch(5).next()?.inputs.values() == data.batch([7, 3]).inputs.values())
    let classes = data.classNames.indices.map { 2 * $0 }
    let relabeled = RelabeledDataset(part, classes: classes, classNames: (0..<12).map(String.init))
    let other = try relabeled.batch([0, 1], epoch: 5, seed: 3)
    #expect(other.inputs.values() == batch.inputs.values())
    #expect(
      other.labels.values(of: Int64.self) == batch.labels.values(of: Int64.self).map { 2 * $0 })
  }

  @Test("an error comes in its batch's place, and the others still come", arguments: [0, 1, 2])
  func errors(workers: Int) throws {
    let data = Watched(20, damaged: [9])
    let batches = DataLoader(data, batchSize: 4, order: .sequential, workers: workers).epoch(0)
    #expect(try batches.next() == [0, 1, 2, 3])
    #expect(try batches.next() == [4, 5, 6, 7])
    #expect(throws: Damage(example: 9)) { try batches.next() }
    #expect(batches.position == 3)
    #expect(try batches.next() == [12, 13, 14, 15])
    #expect(try batches.next() == [16, 17, 18, 19])
    #expect(try batches.next() == nil)
    #expect(try batches.next() == nil)
  }

  @Test("a damaged picture's file is named")
  func damagedPicture() throws {
    let folder = try TemporaryFolder()
    let good = Image(width: 4, height: 4, model: .rgb, pixels: [UInt8](repeating: 9, count: 48))
    for name in ["a/1.png", "b/1.png"] {
      _ = try folder.write(name, [0])
      try good.write(to: folder.path + "/" + name)
    }
    let bad = try folder.write("b/2.png", Array("not a picture".utf8))
    let pictures = try FolderDataset(folder.path) { _ in Tensor(Float(0)) }
    let data = AugmentedPictures<Batch>(pictures, preprocessing: Preprocessing())
    let batches = DataLoader(data, batchSize: 1, order: .sequential).epoch(0)
    #expect(try batches.next()?.labels.values(of: Int64.self) == [0])
    #expect(try batches.next()?.labels.values(of: Int64.self) == [1])
    let error = #expect(throws: ImageError.self) { try batches.next() }
    #expect(error?.file == bad)
  }

  @Test("no more is made ahead than was asked for, and nothing once nobody wants it", arguments: [1, 2, 4])
  func bounds(workers: Int) throws {
    let data = Watched(1000, pause: 0.001)
    var batches: LoadedBatches? = DataLoader(
      data, batchSize: 1, order: .sequential, workers: workers, prefetch: 3
    ).epoch(0)
    #expect(try batches?.next() == [0])
    data.wait(for: 4)
    // One was taken; three are ahead.
    #expect(data.made.withLock { $0.count } == 4)
    batches = nil
    let made = data.made.withLock { $0.count }
    Thread.sleep(forTimeInterval: 0.05)
    #expect(made == 4 && data.made.withLock { $0.count } == made)
  }

  @Test("threads end when training stops early")
  func threads() throws {
    func loaders() -> Int {
      let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
      return tasks.count { task in
        let name = try? String(contentsOfFile: "/proc/self/task/\(task)/comm", encoding: .utf8)
        return name?.hasPrefix("loader") == true
      }
    }
    for _ in 0..<20 {
      let batches = DataLoader(Watched(100, pause: 0.001), batchSize: 1, workers: 3).epoch(0)
      _ = try batches.next()
    }
    // The last lines of a thread come after it has said that it is done.
    for _ in 0..<50 where loaders() > 0 { Thread.sleep(forTimeInterval: 0.02) }
    #expect(loaders() == 0)
    let batches = DataLoader(Watched(10), batchSize: 1).epoch(0)
    batches.stop()
    #expect(try batches.next() == nil)
  }

  @Test("time that was waited is counted")
  func waiting() throws {
    let slow = DataLoader(Watched(5, pause: 0.02), batchSize: 1).epoch(0)
    _ = try all(slow)
    #expect(slow.secondsWaited > 0.06)
    let quick = Watched(5)
    let ahead = DataLoader(quick, batchSize: 1, prefetch: 5).epoch(0)
    quick.wait(for: 5)
    _ = try all(ahead)
    #expect(ahead.secondsWaited < 0.01)
  }
}
