import AviaryTensors
import AviaryVision

/// How a large picture is cut for a detector, so that small objects in it are not made smaller still (Akyon, Altinuc & Temizel 2022, "Slicing
/// Aided Hyper Inference and Fine-tuning for Small Object Detection", arXiv:2202.06934, section 3.1).
public struct PictureSlices: Sendable, Hashable {
  /// Pixels of the sides of a slice; the picture's own where it is smaller.
  public var side: Int
  /// The share of its side that a slice has in common with the next one, below 1: objects up to this size are whole in one of the two.
  public var overlap: Double
  /// Whether the whole picture is looked at besides, for objects that are larger than a slice.
  public var includesWhole: Bool

  /// Squares of `side` pixels.
  public init(side: Int, overlap: Double = 0.2, includesWhole: Bool = true) {
    self.side = side
    self.overlap = overlap
    self.includesWhole = includesWhole
  }

  /// The slices of a picture, row by row; the last ones end at its border. One as large as the picture where it is no larger.
  func rectangles(width: Int, height: Int) -> [PictureSlice] {
    require(side > 0 && 0..<1 ~= overlap, "slices of \(side) pixels that share \(overlap) of their sides")
    let step = max(1, Int(Double(side) * (1 - overlap)))
    func starts(_ extent: Int) -> [Int] {
      if extent <= side { return [0] }
      return Array(stride(from: 0, to: extent - side, by: step)) + [extent - side]
    }
    return starts(height).flatMap { y in
      starts(width).map { x in
        PictureSlice(x: x, y: y, width: min(side, width), height: min(side, height))
      }
    }
  }
}

/// A rectangle of whole pixels in a picture.
struct PictureSlice: Sendable, Hashable {
  let x: Int
  let y: Int
  let width: Int
  let height: Int

  /// A detection in the slice as one in the picture.
  func placed(_ detection: Detection, width: Int, height: Int) -> Detection {
    var placed = detection
    let box = detection.box
    placed.box = Box(
      x1: box.x1 + Float(x), y1: box.y1 + Float(y), x2: box.x2 + Float(x), y2: box.y2 + Float(y))
    placed.mask = detection.mask.map { mask in
      var pixels = [Bool](repeating: false, count: width * height)
      let inner = mask.pixels
      for row in 0..<mask.height {
        for column in 0..<mask.width where inner[row * mask.width + column] {
          pixels[(y + row) * width + x + column] = true
        }
      }
      return Mask(width: width, height: height, pixels: pixels)
    }
    return placed
  }

  /// Whether a box ends at a border of the slice inside the picture, and may be a part of what is there.
  func cuts(_ box: Box, width: Int, height: Int) -> Bool {
    // A box that is cut off ends within a pixel or two of the border.
    let margin: Float = 2
    return x > 0 && box.x1 <= Float(x) + margin || y > 0 && box.y1 <= Float(y) + margin
      || x + self.width < width && box.x2 >= Float(x + self.width) - margin
      || y + self.height < height && box.y2 >= Float(y + self.height) - margin
  }
}

extension Detector {
  /// The objects in a large picture, slice by slice, the surest first.
  ///
  /// Of those of one label, one that has more than half of its area, or of the other's, in common with a better one is the same object. What
  /// no slice cuts off is better than what one does; then the surer one is.
  ///
  /// - Parameters:
  ///   - threshold: as of ``detect(_:threshold:named:)-(Image,_,_)``.
  ///   - progress: is told how many slices are done, of how many.
  /// - Throws: as for whole pictures.
  public func detect(
    _ image: Image, in slices: PictureSlices, threshold: Float? = nil, named name: String = "the picture",
    progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws -> [Detection] {
    let (width, height) = (image.width, image.height)
    var pieces = slices.rectangles(width: width, height: height)
    if slices.includesWhole, pieces.count > 1 {
      pieces.append(PictureSlice(x: 0, y: 0, width: width, height: height))
    }
    var found: [SlicedObject] = []
    for (index, piece) in pieces.enumerated() {
      let part = image.cropped(x: piece.x, y: piece.y, width: piece.width, height: piece.height)
      for detection in try detect(part, threshold: threshold, named: name) {
        let placed = piece.placed(detection, width: width, height: height)
        found.append(
          SlicedObject(detection: placed, isCut: piece.cuts(placed.box, width: width, height: height)))
      }
      progress(index + 1, pieces.count)
    }
    return SlicedObject.merged(found)
  }
}

/// What was found in a slice, in pixels of the whole picture.
struct SlicedObject {
  let detection: Detection
  /// Whether it may be a part of something.
  let isCut: Bool

  /// Each object once, the surest first.
  static func merged(_ found: [SlicedObject]) -> [Detection] {
    let order = found.indices.sorted { first, second in
      let (a, b) = (found[first], found[second])
      if a.isCut != b.isCut { return b.isCut }
      return (b.detection.score, first) < (a.detection.score, second)
    }
    var kept: [Detection] = []
    for index in order {
      let detection = found[index].detection
      let isKnown = kept.contains {
        $0.labelIndex == detection.labelIndex && $0.box.shareOfSmaller(detection.box) > 0.5
      }
      if !isKnown { kept.append(detection) }
    }
    return descendingOrder(of: kept.map(\.score)).map { kept[$0] }
  }
}

extension Box {
  /// The intersection in parts of the smaller of two boxes; 0 for an empty one.
  fileprivate func shareOfSmaller(_ other: Box) -> Float {
    let width = min(x2, other.x2) - max(x1, other.x1)
    let height = min(y2, other.y2) - max(y1, other.y1)
    let smaller = min(area, other.area)
    guard width > 0, height > 0, smaller > 0 else { return 0 }
    return width * height / smaller
  }
}
