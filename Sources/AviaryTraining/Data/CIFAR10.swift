import AviaryTensors
import AviaryVision

/// Small colour pictures of ten classes (Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images"), as normalised 3×32×32.
///
/// Reads the binary version, plain or compressed by gzip: per example a label and the red, green and blue planes of 32×32 bytes.
public struct CIFAR10: Dataset, AnnotatedPictures {
  private static let pixels = 3 * 32 * 32
  private static let record = 1 + pixels

  private let records: [UInt8]
  private let divisor: Float
  private let mean: [Float]
  private let std: [Float]
  public let classNames = [
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
  ]

  /// The examples of all `files` in order; values become (byte / divisor − mean) / std, per channel.
  public init(
    files: [String], divisor: Float = 255, mean: [Float] = [0, 0, 0], std: [Float] = [1, 1, 1]
  ) throws(DataFile.Failure) {
    require(mean.count == 3 && std.count == 3, "CIFAR-10 has three channels")
    var records: [UInt8] = []
    for file in files {
      let content = try DataFile.read(file)
      guard !content.isEmpty, content.count % Self.record == 0 else {
        throw DataFile.Failure(
          path: file,
          reason: "\(content.count) bytes are no whole number of CIFAR-10 examples of \(Self.record)")
      }
      for start in stride(from: 0, to: content.count, by: Self.record) where content[start] > 9 {
        throw DataFile.Failure(
          path: file,
          reason: "the label \(content[start]) of example \(start / Self.record) is not from 0 to 9")
      }
      records += content
    }
    self.records = records
    self.divisor = divisor
    self.mean = mean
    self.std = std
  }

  /// Pictures in the files.
  public var count: Int { records.count / Self.record }
  public func label(_ index: Int) -> Int { Int(records[index * Self.record]) }
  public func knownLabel(_ index: Int) -> Int? { label(index) }
  public func picture(_ index: Int) -> AnnotatedPicture {
    let (start, plane) = (index * Self.record + 1, Self.pixels / 3)
    let pixels = (0..<Self.pixels).map { records[start + $0 % 3 * plane + $0 / 3] }
    return AnnotatedPicture(
      image: Image(width: 32, height: 32, model: .rgb, pixels: pixels), label: label(index))
  }
  public func input(_ index: Int) -> Tensor {
    let start = index * Self.record + 1
    let plane = Self.pixels / 3
    let values = (0..<Self.pixels).map { position in
      (Float(records[start + position]) / divisor - mean[position / plane]) / std[position / plane]
    }
    return Tensor(values, shape: [3, 32, 32])
  }
}
