import AviaryTensors
import AviaryVision

/// Files of the MNIST database: big-endian header, unsigned bytes, plain or compressed by gzip.
public enum IDX {
  /// What is wrong with a file, or with two that do not belong together.
  public typealias Failure = DataFile.Failure

  /// The extents and bytes of one file.
  public static func read(_ path: String) throws(Failure) -> (shape: Shape, bytes: [UInt8]) {
    let content = try DataFile.read(path)
    guard content.count >= 4, content[0] == 0, content[1] == 0 else {
      throw Failure(path: path, reason: "not an IDX file: it must begin with two zero bytes")
    }
    guard content[2] == 8 else {
      throw Failure(path: path, reason: "elements of type \(content[2]) instead of 8 (unsigned bytes)")
    }
    let rank = Int(content[3])
    guard rank >= 1, rank <= 4, content.count >= 4 + 4 * rank else {
      throw Failure(path: path, reason: "\(rank) axes do not fit into a header of \(content.count) bytes")
    }
    let shape = (0..<rank).map { axis in
      content[(4 + 4 * axis)..<(8 + 4 * axis)].reduce(0) { $0 << 8 | Int($1) }
    }
    // Extents that are no file's: their product stays beyond every size instead of wrapping around to a small one.
    let expected = shape.reduce(1) {
      $0 > DataFile.limit || $1 > DataFile.limit ? DataFile.limit + 1 : $0 * $1
    }
    guard shape.allSatisfy({ $0 > 0 }), expected == content.count - 4 - 4 * rank else {
      throw Failure(
        path: path,
        reason: "truncated or damaged: \(shape) elements are promised, \(content.count - 4 - 4 * rank) follow"
      )
    }
    return (shape, Array(content.dropFirst(4 + 4 * rank)))
  }
}

/// Handwritten digits (LeCun et al. 1998), or pictures of clothes in the same files (Xiao et al. 2017, "Fashion-MNIST"): 28×28 grey pictures
/// and their labels, as 1×28×28 in 0…1.
public struct MNIST: Dataset, AnnotatedPictures {
  private let pixels: [UInt8]
  private let labels: [UInt8]
  private let shape: Shape
  public let classNames: [String]

  /// 0 to 9.
  public static let digitNames = (0...9).map(String.init)
  /// The ten classes of Fashion-MNIST.
  public static let fashionNames = [
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
  ]

  /// Reads a file of pictures and one of their labels, plain or gzip'd; throws when they do not belong together.
  public init(
    images: String, labels: String, classNames: [String] = MNIST.digitNames
  ) throws(IDX.Failure) {
    require(classNames.count == 10, "\(classNames.count) names for ten classes")
    self.classNames = classNames
    let (shape, pixels) = try IDX.read(images)
    let (labelShape, labelBytes) = try IDX.read(labels)
    guard shape.count == 3, labelShape == [shape[0]] else {
      throw IDX.Failure(path: labels, reason: "labels \(labelShape) do not belong to pictures \(shape)")
    }
    guard labelBytes.allSatisfy({ $0 < 10 }) else {
      throw IDX.Failure(path: labels, reason: "a label is not a digit")
    }
    self.shape = shape
    self.pixels = pixels
    self.labels = labelBytes
  }

  /// The training (60 000) or test (10 000) part of a folder with the database's four files, with or without `.gz`.
  ///
  /// - Parameter classNames: by default those of Fashion-MNIST where the folder's name has `fashion` in it, else digits.
  public init(folder: String, isTraining: Bool, classNames: [String]? = nil) throws(IDX.Failure) {
    func file(_ name: String) -> String {
      let path = "\(folder)/\(isTraining ? "train" : "t10k")-\(name)-ubyte"
      if case .file = FileKind.of(path) { return path }
      return "\(path).gz"
    }
    let isFashion = folder.split(separator: "/").last?.lowercased().contains("fashion") == true
    try self.init(
      images: file("images-idx3"), labels: file("labels-idx1"),
      classNames: classNames ?? (isFashion ? Self.fashionNames : Self.digitNames))
  }

  /// Digits in the files.
  public var count: Int { labels.count }
  public func label(_ index: Int) -> Int { Int(labels[index]) }
  public func knownLabel(_ index: Int) -> Int? { label(index) }
  public func picture(_ index: Int) -> AnnotatedPicture {
    let size = shape[1] * shape[2]
    let values = Array(pixels[(index * size)..<((index + 1) * size)])
    return AnnotatedPicture(
      image: Image(width: shape[2], height: shape[1], model: .grey, pixels: values), label: label(index))
  }
  public func input(_ index: Int) -> Tensor {
    let size = shape[1] * shape[2]
    return Tensor(
      pixels[(index * size)..<((index + 1) * size)].map { Float($0) / 255 }, shape: [1, shape[1], shape[2]])
  }
}
