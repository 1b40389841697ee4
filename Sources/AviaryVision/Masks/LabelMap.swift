import AviaryTensors

/// A class for each pixel of a picture, row by row: what a segmentation network gives, or what people marked.
public struct LabelMap: Sendable, Hashable {
  /// The label that PASCAL VOC and Cityscapes give to pixels that do not count.
  public static let ignored: UInt8 = 255

  /// In pixels.
  public let width: Int
  /// In pixels.
  public let height: Int
  /// `height * width` classes in 0...255.
  public let labels: [UInt8]

  /// A map of labels in the order of ``labels``, of which there must be `height * width`.
  public init(width: Int, height: Int, labels: [UInt8]) {
    require(width > 0 && height > 0, "a map of \(width)×\(height) pixels has none")
    require(
      labels.count == width * height, "\(labels.count) labels were given for \(width)×\(height) pixels")
    self.width = width
    self.height = height
    self.labels = labels
  }

  /// The label at column `x` and row `y`.
  public subscript(x: Int, y: Int) -> UInt8 {
    require(
      (0..<width).contains(x) && (0..<height).contains(y),
      "no label at (\(x), \(y)) in \(width)×\(height) pixels")
    return labels[y * width + x]
  }

  /// How many pixels have each label: 256 numbers.
  public var counts: [Int] {
    var counts = [Int](repeating: 0, count: 256)
    for label in labels { counts[Int(label)] += 1 }
    return counts
  }
}

extension LabelMap {
  /// The likeliest class of each pixel, from float32 logits C×H×W or 1×C×H×W.
  ///
  /// Of equals the first class is taken. A single channel is the logit of class 1 beside class 0, which takes what has a probability above
  /// a half. Throws ``NonFiniteError`` when a logit is not a number.
  public init(logits: Tensor) throws(NonFiniteError) {
    require(
      logits.rank == 3 || logits.rank == 4 && logits.shape[0] == 1,
      "logits of a picture are C×H×W or 1×C×H×W, the tensor has shape \(logits.shape)")
    self = try Self.maps(ofLogits: logits.reshaped([1] + logits.shape.suffix(3)))[0]
  }

  /// As ``init(logits:)`` for the N pictures of logits N×C×H×W.
  public static func maps(ofLogits logits: Tensor) throws(NonFiniteError) -> [LabelMap] {
    require(
      logits.rank == 4 && (1...256).contains(logits.shape[1]) && logits.shape[2] > 0 && logits.shape[3] > 0,
      "logits of pictures are N×C×H×W with at most 256 classes, the tensor has shape \(logits.shape)")
    let values = logits.values()
    if let position = values.firstIndex(where: \.isNaN) {
      throw NonFiniteError(values[position], at: position, of: logits.shape)
    }
    let labels =
      logits.shape[1] == 1
      ? values.map { $0 > 0 ? 1 : 0 } : logits.argMax(1).values(of: Int64.self).map(UInt8.init)
    let (height, width) = (logits.shape[2], logits.shape[3])
    return (0..<logits.shape[0]).map { index in
      let plane = labels[index * width * height..<(index + 1) * width * height]
      return LabelMap(width: width, height: height, labels: Array(plane))
    }
  }
}
