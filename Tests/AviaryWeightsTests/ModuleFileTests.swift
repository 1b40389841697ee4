import AviaryLayers
import AviaryTensors
import Foundation
import TestSupport
import Testing

@testable import AviaryWeights

/// Weights of modules of one's own in files.
@Suite("Files of any module")
struct ModuleFileTests {
  private final class Pair: Module {
    let first = Linear(3, 4)
    let norm = BatchNorm(4)
    let second: [Linear]
    init(_ outputs: Int = 2) { second = [Linear(4, outputs)] }
    var values: [[Float]] { stateEntries.map { $0.value.values() } }
  }

  @Test("what is saved loads equal, in every format, with what was said of it")
  func roundTrip() throws {
    try withTemporaryFolder { folder in
      let (pair, other) = (withRandomSeed(1) { Pair() }, withRandomSeed(2) { Pair() })
      let path = folder.appendingPathComponent("pair.safetensors").path
      try pair.save(to: path, describing: PortableMetadata(model: "pair"))
      #expect(try WeightFile.open(path).archive.portable?.model == "pair")
      let report = try other.load(from: path)
      #expect(report.matched.count == 8 && other.values == pair.values)
      for (format, ending) in [(WeightFormat.npz, "npz"), (.safetensors, "safetensors")] {
        let copy = folder.appendingPathComponent("copy." + ending).path
        try WeightFile.write(try pair.archive(), to: copy, as: format)
        let third = Pair()
        try third.load(from: copy)
        #expect(third.values == pair.values)
      }
    }
  }

  @Test("what does not fit or is damaged is refused, and the module stays as it was")
  func refusals() throws {
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("x.npz").path
      let pair = Pair()
      let before = pair.values
      func refused(_ archive: WeightArchive, _ part: String, allowing: Allowance = []) throws {
        try WeightFile.write(archive, to: path, as: .npz)
        let error = #expect(throws: WeightsError.self) { try pair.load(from: path, allowing: allowing) }
        #expect(error?.description.contains(part) == true, "\(String(describing: error))")
        #expect(pair.values == before)
      }
      try refused(try Pair(5).archive(), "second.0.weight: expected 2×4, the file has 5×4")
      var more = try withRandomSeed(9) { try Pair().archive() }
      try more.append("extra", .zeros([1]))
      try refused(more, "unexpected extra")
      try pair.load(from: path, allowing: .unexpected)
      #expect(pair.values != before)

      let broken = Pair()
      broken.first.bias?.value = Tensor([Float.nan, 0, 0, 0])
      let good = Pair()
      let kept = good.values
      try WeightFile.write(try broken.archive(), to: path, as: .npz)
      #expect(throws: WeightsError.self) { try good.load(from: path) }
      #expect(good.values == kept)
      try good.load(from: path, allowing: .nonFinite)
      #expect(good.values[1][0].isNaN)
    }
  }
}
