import AviaryTensors
import CHDF5
import Foundation
import Testing

@testable import AviaryWeights

/// Values that no network can use are found wherever they are, and values are not made such by writing them.
@Suite struct ValueDefectTests {
  private static func defect(_ tensor: Tensor, _ name: String = "a") -> ValueDefect? {
    let others = [("first", ramp([3])), ("counts", Tensor([Int64(7)]))]
    return ValueDefect.all(in: others + [(name, tensor), ("last", ramp([100_000]))]).first
  }

  @Test(arguments: [DType.float32, .float16, .bfloat16]) func oneValueIsFoundAnywhere(_ dtype: DType) throws {
    let bad: [Float] = [.nan, -.nan, .infinity, -.infinity]
    for count in [1, 7, 31, 32, 33, 1000, 100_003] {
      let good = Tensor((0..<count).map { Float($0 % 200) - 100 }).cast(to: dtype)
      #expect(Self.defect(good) == nil)
      for (round, position) in [0, count / 3, count / 2, count - 1].enumerated() {
        var values = good.cast(to: .float32).values()
        values[position] = bad[round]
        let defect = Self.defect(Tensor(values).cast(to: dtype))
        #expect(defect?.count == 1 && defect?.index == [position] && defect?.kind == .notFinite)
        #expect(defect?.value.isNaN == bad[round].isNaN)
      }
    }
  }

  @Test func theLargestAndSmallestValuesAreFine() {
    let greatest = Float.greatestFiniteMagnitude
    let values = [greatest, -greatest, .leastNonzeroMagnitude, -0.0, 65504]
    #expect(Self.defect(Tensor(values), "running_mean") == nil)
    #expect(Self.defect(Tensor([Float(65504), -65504]).cast(to: .float16)) == nil)
    #expect(Self.defect(Tensor([Int32(0x7F80_0000)])) == nil)
  }

  @Test func placesAreGivenByAxis() {
    var values = [Float](repeating: 1, count: 24)
    (values[9], values[20]) = (.infinity, .nan)
    let defect = Self.defect(Tensor(values, shape: [2, 3, 4]), "conv.weight")
    #expect(defect?.index == [0, 2, 1] && defect?.count == 2)
    #expect(
      defect?.description == "\"conv.weight\": 2 values are not finite, the first is inf at [0, 2, 1]")
  }

  @Test(arguments: ["bn.running_var", "bn/moving_variance", "bn/moving_variance:0"])
  func variancesAreNotNegative(_ name: String) throws {
    let archive = try WeightArchive([
      ("bn/beta", Tensor([Float(-1)])), (name, Tensor([Float(0), 1, -1e-3, -2])),
    ])
    let defects = archive.valueDefects()
    #expect(defects.count == 1 && defects.first?.kind == .negativeVariance)
    #expect(defects.first?.count == 2 && defects.first?.index == [2])
    let error = WeightsError(defects, file: "x.h5")
    #expect(error?.kind == .nonFinite && error?.description.contains("negative, as no variance is") == true)
    #expect(WeightsError([]) == nil)
  }

  @Test(arguments: WeightFormat.ofAnyTensors) func valuesBeyondATypeAreRefused(_ format: WeightFormat) throws
  {
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("weights").path
      for (value, type) in [(Float(7e4), DType.float16), (3.4e38, .bfloat16)] {
        // Behind a move of axes, as most weights of other frameworks are.
        var original = WeightArchive()
        try original.append("kernel", Tensor([1, 2, 3, 4, value, 6], shape: [2, 3]))
        var archive = WeightArchive()
        let move = AxisMove(cut: [2, 3], order: [1, 0], merged: [3, 2])
        try archive.append("layer/kernel", from: original, "kernel", moving: move)
        // bfloat16 goes out as float32 in Keras' older format.
        if format == .kerasWeights, type == .bfloat16 { continue }
        let error = #expect(throws: WeightsError.self) {
          try WeightFile.write(archive, to: path, as: format, floats: type)
        }
        #expect(error?.kind == .nonFinite && error?.file == path, "\(String(describing: error))")
        #expect(error?.reason.contains("\"layer/kernel\": the value \(value) at [1, 1]") == true)
        #expect(try contents(folder).isEmpty)
      }
      // What is infinite already stays so, and what becomes 0 is no loss of a kind that matters.
      let rest = try WeightArchive([("layer/kernel", Tensor([Float.infinity, 1e-30, 65519], shape: [3, 1]))])
      try WeightFile.write(rest, to: path, as: format, floats: .float16)
    }
  }

  /// A chunk whose Fletcher-32 does not match is damage, whoever wrote it.
  @Test(arguments: [1000, 1001]) func fletcher32(_ count: Int) throws {
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("sums.h5").path
      try HDF5Library.run {
        let file = try HDF5Handle(H5Fcreate(path, aviary_h5_truncate(), 0, 0), .unwritable, "")
        var extent = hsize_t(count)
        let space = try HDF5Handle(H5Screate_simple(1, &extent, nil), .unwritable, "")
        let options = try HDF5Handle(H5Pcreate(aviary_h5_class_dataset_creation()), .unwritable, "")
        var chunk = hsize_t(count)
        H5Pset_chunk(options.id, 1, &chunk)
        H5Pset_fletcher32(options.id)
        let data = try HDF5Handle(
          H5Dcreate2(file.id, "a", aviary_h5_type_uint8(), space.id, 0, options.id, 0), .unwritable, "")
        let values = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7) }
        #expect(H5Dwrite(data.id, aviary_h5_type_uint8(), 0, 0, 0, values) >= 0)
      }
      let archive = try WeightFile.open(path).archive
      #expect(archive["a"]?.values(of: UInt8.self).last == UInt8(truncatingIfNeeded: (count - 1) * 7))
      var bytes = try Array(Data(contentsOf: URL(fileURLWithPath: path)))
      let start = try #require(bytes.firstRange(of: [0, 7, 14, 21, 28, 35]))
      bytes[start.lowerBound + 500] ^= 1
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      let error = #expect(throws: WeightsError.self) { try WeightFile.open(path) }
      #expect(error?.reason.contains("Fletcher-32") == true, "\(String(describing: error))")
    }
  }
}
