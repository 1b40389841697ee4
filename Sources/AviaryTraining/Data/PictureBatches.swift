import AviaryTensors
import AviaryVision

/// What a task's data are made of: pictures that were augmented, and the network's input made of them.
public protocol PictureBatch: Sendable {
  /// The pictures as they were after augmentation and framing, their values N×C×H×W, and the numbers that they have in their data.
  init(_ pictures: [AnnotatedPicture], inputs: Tensor, examples: [Int]) throws
  /// Takes notice of the sizes that the pictures had before zeros at the right and at the bottom made them equally large.
  mutating func note(sizes: [PictureSize])
}

extension PictureBatch {
  /// For what does not care.
  public mutating func note(sizes: [PictureSize]) {}
}

/// Width and height of a picture, in pixels.
public struct PictureSize: Sendable, Hashable {
  /// Columns.
  public let width: Int
  /// Rows.
  public let height: Int

  /// A size by columns and rows.
  public init(width: Int, height: Int) {
    self.width = width
    self.height = height
  }
}

/// A picture lacks what a task learns from.
public struct MissingAnnotation: Error, Equatable, CustomStringConvertible {
  /// The picture's number in its data.
  public let example: Int
  /// What it lacks.
  public let what: String

  /// Picture `example` has no `what`.
  public init(example: Int, what: String) {
    self.example = example
    self.what = what
  }

  public var description: String { "picture \(example) has no \(what)" }
}

/// Classification: a class per picture.
extension Batch: PictureBatch {
  public init(_ pictures: [AnnotatedPicture], inputs: Tensor, examples: [Int]) throws {
    let labels = try zip(pictures, examples).map { picture, example in
      guard let label = picture.label else { throw MissingAnnotation(example: example, what: "class") }
      return Int64(label)
    }
    self.init(inputs: inputs, labels: Tensor(labels), examples: examples)
  }
}

/// Detection and instance segmentation: objects with boxes, and masks where the data have them.
public struct DetectionBatch: PictureBatch {
  /// N×C×H×W.
  public let inputs: Tensor
  /// The objects of each picture, in pixels of the input; there may be none.
  public let instances: [[Instance]]
  /// The numbers of the pictures in their data.
  public let examples: [Int]
  /// The size of each picture; what of the input lies beside or below it is padding.
  public private(set) var sizes: [PictureSize]

  /// Pictures that fill the input.
  public init(_ pictures: [AnnotatedPicture], inputs: Tensor, examples: [Int]) {
    self.inputs = inputs
    self.instances = pictures.map(\.instances)
    self.examples = examples
    sizes = pictures.map { _ in PictureSize(width: inputs.shape[3], height: inputs.shape[2]) }
  }

  public mutating func note(sizes: [PictureSize]) { self.sizes = sizes }

  /// Where there is padding: N×H×W, Boolean.
  public var padding: Tensor {
    let (height, width) = (inputs.shape[2], inputs.shape[3])
    return Tensor(
      sizes.flatMap { size in
        (0..<height).flatMap { y in (0..<width).map { y >= size.height || $0 >= size.width } }
      }, shape: [sizes.count, height, width])
  }
}

/// Semantic segmentation: a class per pixel.
public struct SegmentationBatch: PictureBatch {
  /// N×C×H×W.
  public let inputs: Tensor
  /// int64 N×H×W; ``LabelMap/ignored`` (255) counts for none.
  public let labels: Tensor
  /// The numbers of the pictures in their data.
  public let examples: [Int]

  public init(_ pictures: [AnnotatedPicture], inputs: Tensor, examples: [Int]) throws {
    var values: [Int64] = []
    for (picture, example) in zip(pictures, examples) {
      guard let map = picture.labelMap else {
        throw MissingAnnotation(example: example, what: "classes of pixels")
      }
      values += map.labels.map(Int64.init)
    }
    self.inputs = inputs
    let (height, width) = (inputs.shape[2], inputs.shape[3])
    labels = Tensor(values, shape: [pictures.count, height, width])
    self.examples = examples
  }
}

/// Captioning: words for each picture.
public struct CaptionBatch: PictureBatch {
  /// N×C×H×W.
  public let inputs: Tensor
  /// What each picture shows, at least one text for each.
  public let captions: [[String]]
  /// The numbers of the pictures in their data.
  public let examples: [Int]

  public init(_ pictures: [AnnotatedPicture], inputs: Tensor, examples: [Int]) throws {
    if let place = pictures.firstIndex(where: \.captions.isEmpty) {
      throw MissingAnnotation(example: examples[place], what: "caption")
    }
    self.inputs = inputs
    self.captions = pictures.map(\.captions)
    self.examples = examples
  }
}
