import AviaryTensors
import CHDF5
import Foundation
import TestSupport
import Testing

@testable import AviaryWeights

/// Converting takes less than twice the memory of the largest tensor, whatever the formats and whatever has to be done to it.
@Suite(.serialized) struct ConversionMemoryTests {
  /// A file of one tensor of 36 MiB, 3072×3072 of float32.
  enum Source: String, CaseIterable {
    case portable, npz, kerasWeights, kerasPaths, kerasZip, compressedArray, chunks, strides
  }

  private static let side = 3072
  private static let byteCount = side * side * 4

  @Test(arguments: Source.allCases)
  func staysUnderTwiceTheLargestTensor(_ source: Source) throws {
    try withTemporaryFolder { folder in
      let path = try Self.file(source, folder)
      let output = folder.appendingPathComponent("output").path
      for format in WeightFormat.ofAnyTensors {
        for floats in [nil, DType.float16, .bfloat16] {
          // Theirs to ours moves every element; theirs to ours and back moves none.
          for isMovedBack in source == .kerasWeights ? [false, true] : [false] {
            CachingAllocator.trim()
            let peak = try PeakMemory.during {
              let archive = try Self.moved(try WeightFile.open(path).archive, back: isMovedBack)
              try WeightFile.write(archive, to: output, as: format, floats: floats)
            }
            if let peak {
              #expect(
                peak < 2 * Self.byteCount, "\(format), \(floats?.rawValue ?? "as it is"): \(peak >> 20) MiB")
            }
          }
        }
      }
    }
  }

  @Test(arguments: Source.allCases)
  func descriptionsTakeNoMoreThanATensor(_ source: Source) throws {
    try withTemporaryFolder { folder in
      let path = try Self.file(source, folder)
      CachingAllocator.trim()
      let peak = try PeakMemory.during { _ = try WeightFile.open(path).description }
      // What is compressed is unpacked once, to see that it is sound; all else is not read.
      let isUnpacked = source == .compressedArray || source == .chunks
      if let peak { #expect(peak < (isUnpacked ? Self.byteCount * 5 / 4 : Self.byteCount / 4)) }
    }
  }

  /// The tensor as a dense layer after a flatten, which is the move that no view can express.
  private static func moved(_ archive: WeightArchive, back: Bool) throws -> WeightArchive {
    let transform = LayoutTransform.denseAfterFlatten(channels: side / 16, height: 4, width: 4)
    var moved = WeightArchive()
    try moved.append(
      "layer/kernel", from: archive, archive.names[0], moving: try transform.importing([side, side]))
    guard back else { return moved }
    var result = WeightArchive()
    try result.append(
      "layer/kernel", from: moved, "layer/kernel", moving: try transform.exporting([side, side]))
    return result
  }

  // MARK: Files

  private static func file(_ source: Source, _ folder: URL) throws -> String {
    let path = folder.appendingPathComponent("source").path
    func write(_ format: WeightFormat) throws {
      var archive = WeightArchive()
      try archive.append("layer/kernel", TensorSpec([side, side], .float32)) { .zeros([side, side]) }
      try WeightFile.write(archive, to: path, as: format)
    }
    switch source {
    case .portable: try write(.portable)
    case .npz: try write(.npz)
    case .kerasWeights: try write(.kerasWeights)
    case .kerasPaths: try write(.kerasPaths)
    case .kerasZip:
      try write(.kerasPaths)
      let weights = try MappedFile(path: path)
      try AtomicFile.write(to: path) { file in
        var zip = ZipWriter(to: file)
        // A name of this length puts the values at no multiple of four bytes.
        try zip.add("config.json") { write in try Array("{}".utf8).withUnsafeBytes(write) }
        try zip.add("model.weights.h5") { write in try weights.withBytes(write) }
        try zip.finish()
      }
    case .compressedArray:
      let header = NpyHeader.bytes(dtype: .float32, shape: [side, side])
      let bytes = DeflatedZip.bytes("kernel.npy", start: header, zeros: byteCount)
      try Data(bytes).write(to: URL(fileURLWithPath: path))
    case .chunks: try writeChunks(path)
    case .strides: try writeStrides(path)
    }
    return path
  }

  private static func writeChunks(_ path: String) throws {
    try HDF5Library.run {
      var extents = [hsize_t(side), hsize_t(side)]
      var chunk = [hsize_t(256), hsize_t(side)]
      let file = try HDF5Handle(H5Fcreate(path, aviary_h5_truncate(), 0, 0), .unwritable, "")
      let space = try HDF5Handle(H5Screate_simple(2, &extents, nil), .unwritable, "")
      let options = try HDF5Handle(H5Pcreate(aviary_h5_class_dataset_creation()), .unwritable, "")
      H5Pset_chunk(options.id, 2, &chunk)
      H5Pset_deflate(options.id, 1)
      let data = try HDF5Handle(
        H5Dcreate2(file.id, "kernel", aviary_h5_type_float32(), space.id, 0, options.id, 0), .unwritable, "")
      let values = [Float](repeating: 0, count: side * side)
      #expect(H5Dwrite(data.id, aviary_h5_type_float32(), 0, 0, 0, values) >= 0)
    }
  }

  /// A PyTorch checkpoint whose tensor is stored transposed.
  private static func writeStrides(_ path: String) throws {
    func text(_ text: String) -> [UInt8] { Array("X".utf8) + le(UInt32(text.utf8.count)) + text.utf8 }
    func number(_ number: Int) -> [UInt8] { Array("J".utf8) + le(Int32(number)) }
    func global(_ module: String, _ name: String) -> [UInt8] { Array("c\(module)\n\(name)\n".utf8) }
    func tuple(_ parts: [UInt8]...) -> [UInt8] { Array("(".utf8) + parts.joined() + Array("t".utf8) }
    let storage = tuple(
      text("storage"), global("torch", "FloatStorage"), text("0"), text("cpu"), number(side * side))
    let tensor =
      global("torch._utils", "_rebuild_tensor_v2")
      + tuple(
        storage + Array("Q".utf8), number(0), tuple(number(side), number(side)),
        tuple(number(1), number(side)),
        [0x89], Array("}".utf8)) + Array("R".utf8)
    let pickle = [0x80, 2] + Array("}".utf8) + text("kernel") + tensor + Array("s.".utf8)
    try AtomicFile.write(to: path) { file in
      var zip = ZipWriter(to: file)
      try zip.add("archive/data.pkl") { write in try pickle.withUnsafeBytes(write) }
      try zip.add("archive/data/0") { write in
        let piece = [UInt8](repeating: 0, count: 1 << 20)
        for _ in 0..<(byteCount >> 20) { try piece.withUnsafeBytes(write) }
      }
      try zip.add("archive/version") { write in try Array("3\n".utf8).withUnsafeBytes(write) }
      try zip.finish()
    }
  }

  private static func le(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}
