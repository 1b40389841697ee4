import AviaryTensors
import AviaryVision

/// Data whose examples look different in every epoch, in a way that seed, epoch and example alone decide.
public protocol VaryingData<Batch>: TrainingData {
  /// The examples `indices` as they look in an epoch of a training run with this seed.
  func batch(_ indices: [Int], epoch: Int, seed: UInt64) throws -> Batch
}

/// Pictures as a task's data: each augmented, framed and made a network's input. What kind of batch is asked for decides what they are
/// data for:
///
///     let data = AugmentedPictures<DetectionBatch>(pictures, augmentation: .horizontalFlip(probability: 0.5), preprocessing: preprocessing)
public struct AugmentedPictures<Kind: PictureBatch>: VaryingData {
  /// Batches of the kind that was asked for.
  public typealias Batch = Kind

  /// What they are made of.
  public let pictures: any AnnotatedPictures
  /// What changes them, nil for nothing.
  public var augmentation: Augmentation?
  /// What makes them a network's input. Boxes, masks and labels follow its resize and crop.
  public var preprocessing: Preprocessing
  /// What brings a picture to its size in the place of the preprocessing's resize and crop; nil for those.
  public var framing: (@Sendable (AnnotatedPicture) -> AnnotatedPicture)?
  /// What height and width of a batch are multiples of. Pictures that are smaller than the largest, or than that, get zeros at the right and at
  /// the bottom: no object is there, and pixels are of no class.
  public var sizeMultiple = 1

  /// Pictures for a task.
  public init(
    _ pictures: any AnnotatedPictures, augmentation: Augmentation? = nil, preprocessing: Preprocessing
  ) {
    self.pictures = pictures
    self.augmentation = augmentation
    self.preprocessing = preprocessing
  }

  public var count: Int { pictures.count }

  /// The pictures as they are, without augmentation: for validation.
  public func batch(_ indices: [Int]) throws -> Kind {
    try batch(of: try indices.map { try pictures.picture($0) }, indices)
  }

  public func batch(_ indices: [Int], epoch: Int, seed: UInt64) throws -> Kind {
    try batch(
      of: try indices.map { index in
        let picture = try pictures.picture(index)
        let generator = RandomGenerator(seed: seed, path: UInt64(epoch), UInt64(index))
        return augmentation.map { $0(picture, using: generator) } ?? picture
      }, indices)
  }

  private func batch(of pictures: [AnnotatedPicture], _ indices: [Int]) throws -> Kind {
    require(!indices.isEmpty, "a batch of no examples was asked for")
    let framed = pictures.map(framing ?? preprocessing.framed)
    let values = preprocessing.sized(resize: .none, crop: nil)
    func extent(_ side: (Image) -> Int) -> Int {
      (framed.map { side($0.image) }.max()! + sizeMultiple - 1) / sizeMultiple * sizeMultiple
    }
    let (height, width) = (extent(\.height), extent(\.width))
    if framed.allSatisfy({ ($0.image.height, $0.image.width) == (height, width) }) {
      return try Kind(framed, inputs: values(framed.map(\.image)), examples: indices)
    }
    let inputs = framed.map { picture in
      let padding = Padding(
        before: [0, 0], after: [height - picture.image.height, width - picture.image.width])
      return values(picture.image).padded(spatially: padding)
    }
    // Black, and of no class, as what is outside of a crop.
    let padded = framed.map { $0.cropped(x: 0, y: 0, width: width, height: height) }
    var batch = try Kind(padded, inputs: concatenate(inputs, axis: 0), examples: indices)
    batch.note(sizes: framed.map { PictureSize(width: $0.image.width, height: $0.image.height) })
    return batch
  }
}

/// Pictures of which each has a class, wherever such data are taken.
extension AugmentedPictures: Dataset where Kind == AviaryTraining.Batch {
  public var classNames: [String] { pictures.classNames }
  /// The class of an example; the pictures must have one each.
  public func label(_ index: Int) -> Int {
    guard let label = pictures.knownLabel(index) else {
      requirementFailure("picture \(index) has no class")
    }
    return label
  }
  public func input(_ index: Int) throws -> Tensor { try batch([index]).inputs[0] }
}
