import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights

/// What stands before and behind torchvision's detectors, which take pictures as they are.
struct TorchvisionPictures: DetectionProcessor {
  private let values: Preprocessing
  private let scaling: PictureScaling

  /// The share of a mask that a pixel of an object exceeds.
  private static let maskThreshold: Float = 0.5

  /// COCO's names, and values from 0 to 1.
  static let binding = TaskBinding(preprocessing: .init(), labels: .set(.coco))

  /// Throws `WeightsError` unless pictures in colours keep their sizes, ``ConfigurationError`` for any setting.
  init(
    _ portable: PortableMetadata.Preprocessing, _ settings: Settings, _ scaling: PictureScaling
  ) throws {
    try ConfigurationEntries(settings).finish()
    guard portable.height == nil, portable.width == nil, portable.resizeShorterSide == nil,
      portable.channels == .rgb
    else {
      throw WeightsError(
        .mismatched, "the preprocessing changes the size of pictures, which is for the network to do")
    }
    values = try Preprocessing(portable, file: nil)
    self.scaling = scaling
  }

  /// Pictures of different sizes do not go through the network together.
  var joinsSizes: Bool { false }

  func size(width: Int, height: Int) -> (width: Int, height: Int) {
    let size = scaling.size(height: height, width: width)
    return (size.width, size.height)
  }

  func inputs(_ images: [Image]) -> NamedTensors {
    ["image": values(images.map { $0.converted(to: .rgb) })]
  }

  func detections(
    _ outputs: NamedTensors, sizes: [(width: Int, height: Int)], labels: [String], threshold: Float
  ) -> [[Detection]] {
    let (scores, edges) = (outputs["scores"].values(), outputs["boxes"].values())
    let numbers = outputs["labels"].values(of: Int64.self).map { Int($0) }
    let masks = outputs[ifPresent: "masks"]
    let shares = masks?.values() ?? []
    let side = masks?.shape[3] ?? 0
    let most = scores.count / sizes.count
    var counts = SelectionCounts("objects")
    defer { counts.tell() }
    return sizes.enumerated().map { picture, size in
      let all = (picture * most..<(picture + 1) * most).filter { numbers[$0] > 0 }
      let rows = all.filter { scores[$0] > threshold }
      counts.add("boxes", all.count)
      counts.add("scores above \(threshold)", rows.count)
      return rows.map { row -> Detection in
        let box = Box(edges, at: row)
        var detection = Detection(
          box: box, label: labels[numbers[row]], labelIndex: numbers[row], score: scores[row])
        if side > 0 {
          let pasted = MaskPasting.pasted(
            shares, row: row, side: side, in: box, width: size.width, height: size.height)
          detection.mask = Mask(
            width: size.width, height: size.height, pixels: pasted.map { $0 > Self.maskThreshold })
        }
        return detection
      }
    }
  }

  /// `image` to `boxes`, `scores` and `labels` of at most `most` objects.
  static func signature(most: Int, labels: Int, others: [TensorPort] = []) -> Signature {
    let most = TensorPort.Axis.fixed(most)
    return Signature(
      inputs: [TensorPort("image", ["N", 3, "H", "W"])],
      outputs: [
        TensorPort("boxes", ["N", most, 4]), TensorPort("scores", ["N", most]),
        TensorPort("labels", ["N", most], .int64, below: labels),
      ] + others)
  }

  /// Outputs without empty rows, all pictures' one after another, masks K×1×H×W in the pictures' size; with several pictures, `pictures` says
  /// which one each row is of.
  static func trimmed(_ outputs: NamedTensors, image: Shape) -> NamedTensors {
    let labels = outputs["labels"].values(of: Int64.self)
    let rows = labels.indices.filter { labels[$0] > 0 }
    let most = outputs["labels"].shape[1]
    let (scores, edges) = (outputs["scores"].values(), outputs["boxes"].values())
    let boxes = rows.map { Box(edges, at: $0) }
    let flat = boxes.flatMap { box -> [Float] in [box.x1, box.y1, box.x2, box.y2] }
    var result: NamedTensors = [
      "boxes": Tensor(flat, shape: [rows.count, 4]),
      "scores": Tensor(rows.map { scores[$0] }), "labels": Tensor(rows.map { labels[$0] }),
    ]
    if let masks = outputs[ifPresent: "masks"] {
      let (shares, side, size) = (masks.values(), masks.shape[3], (height: image[2], width: image[3]))
      let pasted = zip(rows, boxes).flatMap { row, box -> [Float] in
        MaskPasting.pasted(shares, row: row, side: side, in: box, width: size.width, height: size.height)
      }
      result["masks"] = Tensor(pasted, shape: [rows.count, 1, size.height, size.width])
    }
    if image[0] > 1 { result["pictures"] = Tensor(rows.map { Int64($0 / most) }) }
    return result
  }
}
