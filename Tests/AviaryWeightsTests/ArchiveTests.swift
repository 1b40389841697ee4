import AviaryTensors
import Foundation
import Synchronization
import Testing

@testable import AviaryWeights

@Suite struct ArchiveTests {
  /// Counts how often a tensor is computed.
  private final class Counter: Sendable {
    let count = Mutex(0)
    func tensor() -> Tensor {
      count.withLock { $0 += 1 }
      return ramp([2, 3])
    }
  }

  @Test func computesWhenAskedAndNotBefore() throws {
    let counter = Counter()
    var archive = WeightArchive()
    try archive.append("a", TensorSpec([2, 3], .float32)) { counter.tensor() }
    #expect(archive.shapes == ["a": [2, 3]])
    #expect(archive.byteCount == 24)
    var turned = WeightArchive()
    try turned.append("b", from: archive, "a", moving: try LayoutTransform.dense.importing([2, 3]))
    #expect(turned.spec("b") == TensorSpec([3, 2], .float32))
    #expect(counter.count.withLock { $0 } == 0)
    #expect(areIdentical(turned["b"], ramp([2, 3]).permuted([1, 0])))
    #expect(counter.count.withLock { $0 } == 1)
    #expect(throws: WeightsError.self) { try LayoutTransform.convolution.importing([2, 3]) }
    #expect(throws: WeightsError.self) { try turned.append("b", from: archive, "a") }
  }

  /// A batch of tensors needs the memory of one: what is written is let go of.
  @Test(arguments: [WeightFormat.portable, .safetensors, .npz, .kerasWeights, .kerasPaths])
  func writersTakeOneTensorAfterAnother(_ format: WeightFormat) throws {
    let size = 1 << 20
    var archive = WeightArchive()
    for index in 0..<64 {
      try archive.append("layer_\(index)/kernel", TensorSpec([1024, size / 1024], .float32)) {
        Tensor(repeating: Float(index), shape: [1024, size / 1024])
      }
    }
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("a").path
      CachingAllocator.trim()
      CachingAllocator.resetPeak()
      let before = CachingAllocator.statistics.inUse
      try WeightFile.write(archive, to: path, as: format, floats: .float16)
      // Tests beside this one may hold a little.
      #expect(CachingAllocator.statistics.peak - before < 4 * 4 * size)
      let again = try WeightFile.open(path).archive
      #expect(again.count == 64)
      #expect(again.byteCount == 64 * 2 * size)
    }
  }

  @Test func whatKilledWritersLeaveIsRemoved() throws {
    try withTemporaryFolder { folder in
      // No process has so large a number; this one has its own.
      let names = [".a.npz.99999999-x.partial", ".a.npz.\(getpid())-x.partial", ".b.npz.99999999-x.partial"]
      for name in names {
        let path = folder.appendingPathComponent(name).path
        try Data([1]).write(to: URL(fileURLWithPath: path))
        var times = [timeval(tv_sec: 1, tv_usec: 0), timeval(tv_sec: 1, tv_usec: 0)]
        #expect(utimes(path, &times) == 0)
      }
      let path = folder.appendingPathComponent("a.npz").path
      try WeightFile.write(try WeightArchive([("a", ramp([2]))]), to: path, as: .npz)
      let left = try contents(folder).sorted()
      #expect(left == [names[1], names[2], "a.npz"].sorted())
    }
  }

  @Test(arguments: [
    ([2, 3], [3, 1], 0, 6, true), ([2, 3], [3, 1], 1, 6, false), ([2, 3], [1, 2], 0, 6, true),
    ([2, 3], [4, 1], 0, 6, false), ([5], [0], 5, 6, true), ([5], [0], 6, 6, false), ([], [], 5, 6, true),
    ([], [], 6, 6, false), ([0, 5], [7, 1], 1000, 6, true), ([2], [-1], 1, 6, false),
    ([2], [1, 1], 0, 6, false),
    ([2], [1], -1, 6, false), ([2], [Int.max], 0, 6, false), ([3], [Int.max / 2 + 1], 0, 6, false),
    ([2], [1], Int.max, 6, false), ([2, 2], [Int.max / 2, Int.max / 2], 2, 6, false),
    ([1 << 40, 1 << 40], [0, 0], 0, 6, false), ([-2], [1], 0, 6, false),
  ])
  func viewsMustFitTheirStorage(
    _ shape: Shape, strides: [Int], offset: Int, elements: Int, fits: Bool
  ) throws {
    func view() throws -> StridedView {
      try StridedView(
        .float32, bigEndian: false, base: 64, byteCount: elements * 4, offset: offset, shape: shape,
        strides: strides)
    }
    if fits {
      _ = try view()
    } else {
      #expect(throws: WeightsError.self) { try view() }
    }
  }
}
