import AviaryLayers
import AviaryTensors
import AviaryTraining
import AviaryVision
import AviaryWeights

extension Darknet: TrainableDetector {
  public var firstLabel: Int { 0 }

  public var learningRemarks: [String] {
    let options = Set(heads.flatMap(\.head.learning.leftOut)).sorted()
    guard !options.isEmpty else { return [] }
    return [
      "it learns by the losses of pjreddie's darknet: what its .cfg says of \(options.joined(separator: ", ")) is left out"
    ]
  }

  /// Each picture as the network takes it: stretched, or as large as it fits with grey beside it. It is resized over the area of its pixels,
  /// whatever the settings say of detection.
  public func data(
    _ pictures: any AnnotatedPictures, augmentation: Augmentation?,
    preprocessing: PortableMetadata.Preprocessing, settings: Settings
  ) throws -> AugmentedPictures<DetectionBatch> {
    _ = try processor(preprocessing, settings)
    let frame = DarknetFrame(width: input.width, height: input.height, keepsProportions: keepsProportions)
    var data = AugmentedPictures<DetectionBatch>(
      pictures, augmentation: augmentation, preprocessing: try Preprocessing(preprocessing, file: nil))
    data.framing = { frame.framed($0) }
    return data
  }

  /// `box_loss`, `object_loss` and `class_loss` of all heads together, as pjreddie's darknet learns. What AlexeyAB's knows besides, losses of
  /// overlaps (`iou_loss`) and the like, is not done.
  public func losses(_ batch: DetectionBatch, choosing choose: (Int) -> [Int]) throws -> NamedTensors {
    let (width, height) = (Float(input.width), Float(input.height))
    // Of many at once nobody knows where each is.
    let objects = try zip(batch.instances, batch.examples).map { instances, example in
      try instances.filter { !$0.isCrowd }.map { instance in
        try instance.requireLearnable(in: example, labels: 0..<labelCount)
        let box = instance.box
        return DarknetObject(
          label: instance.labelIndex,
          box: Box(x1: box.x1 / width, y1: box.y1 / height, x2: box.x2 / width, y2: box.y2 / height))
      }
    }
    let heads = heads
    require(!heads.isEmpty, "a network without heads learns no objects")
    let parts = zip(heads, results(of: heads.map(\.number), batch.inputs)).map { entry, map in
      entry.head.losses(map, objects)
    }
    let sum = parts.dropFirst().reduce(parts[0], +)
    return ["box_loss": sum.box, "object_loss": sum.object, "class_loss": sum.classes]
  }
}

extension DarknetHead {
  /// What a map, as the layer gives it, teaches of the objects of each picture.
  func losses(_ map: Tensor, _ objects: [[DarknetObject]]) -> DarknetLosses {
    guard case .grid(let side, let squaresSides, let usesSoftmax) = kind else {
      return anchorLosses(map, objects)
    }
    return gridLosses(
      map, side: side, squaresSides: squaresSides, usesSoftmax: usesSoftmax, objects)
  }
}

extension DarknetFrame {
  /// The grey beside a picture that keeps its proportions: of whole numbers, that which is nearest to one half.
  private static let grey: UInt8 = 128

  /// A picture in colours and all that is known of it as the network takes it.
  func framed(_ picture: AnnotatedPicture) -> AnnotatedPicture {
    let (innerWidth, innerHeight) = inner(width: picture.image.width, height: picture.image.height)
    var colours = picture
    colours.image = picture.image.converted(to: .rgb)
    let inner = colours.resized(width: innerWidth, height: innerHeight)
    if (innerWidth, innerHeight) == (width, height) { return inner }
    let (left, top) = ((width - innerWidth) / 2, (height - innerHeight) / 2)
    return inner.cropped(x: -left, y: -top, width: width, height: height)
      .filled(Self.grey, outside: left..<left + innerWidth, top..<top + innerHeight)
  }
}
