import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights

// How pictures go into DETR and what its answers mean (Carion et al. 2020, appendix A.4; facebookresearch's transforms of its evaluation).

extension DETR {
  /// ImageNet's mean and deviation of 0...1, at the picture's own size.
  public static let normalization = Preprocessing.torchvision.sized(resize: .none, crop: nil)

  /// The size that a picture is resized to: the short side 800, or less where the long side would be more than 1333.
  ///
  /// A side is never less than 1, so that a picture over 2666 times as long as wide stays longer.
  public static func resized(
    width: Int, height: Int, shortSide: Int = 800, longSide: Int = 1333
  ) -> (width: Int, height: Int) {
    let (short, long) = (min(width, height), max(width, height))
    var side = shortSide
    if Double(long) / Double(short) * Double(side) > Double(longSide) {
      side = Int((Double(longSide * short) / Double(long)).rounded(.toNearestOrEven))
      side = max(side, 1)
    }
    if short == side { return (width, height) }
    let other = Int(Double(side * long) / Double(short))
    return width < height ? (side, other) : (other, side)
  }

  /// The network's inputs for pictures of any sizes: each resized, then padded with zeros to the largest height and width.
  public static func inputs(
    _ images: [Image], shortSide: Int = 800, longSide: Int = 1333,
    normalization: Preprocessing = normalization
  ) -> NamedTensors {
    require(!images.isEmpty, "no picture was given")
    let pictures = images.map { image in
      let (width, height) = resized(
        width: image.width, height: image.height, shortSide: shortSide, longSide: longSide)
      let converted = image.converted(to: .rgb)
      return normalization(
        converted.resized(width: width, height: height, normalization.interpolation))  // 1×3×H×W
    }
    let (height, width) = (pictures.map { $0.shape[2] }.max()!, pictures.map { $0.shape[3] }.max()!)
    let padded = pictures.map { picture in
      let padding = Padding(before: [0, 0], after: [height - picture.shape[2], width - picture.shape[3]])
      let mask = Tensor.zeros(picture.shape).padded(spatially: padding, .constant(1))
      return (picture: picture.padded(spatially: padding), mask: mask.selected(1, 0).cast(to: .bool))
    }
    return [
      "image": concatenate(padded.map(\.picture), axis: 0), "mask": concatenate(padded.map(\.mask), axis: 0),
    ]
  }

  /// What each query found: `scores` N×Q, `labels` N×Q (COCO's numbers), and `boxes` N×Q×4 as x1, y1, x2, y2 in pixels of the
  /// pictures' own sizes.
  ///
  /// Every query has its likeliest label, however unlikely that is: a threshold is the user's. Boxes may reach over the border.
  /// - Parameter sizes: of the pictures before they were resized.
  public static func detections(
    _ outputs: NamedTensors, sizes: [(width: Int, height: Int)]
  ) -> NamedTensors {
    let (logits, boxes) = (outputs["pred_logits"], outputs["pred_boxes"])
    require(sizes.count == logits.shape[0], "\(sizes.count) sizes for \(logits.shape[0]) pictures")
    let labels = logits.shape[2] - 1
    // The last is "no object".
    let shares = logits.softmax().sliced(2, 0..<labels)
    let scale = Tensor(
      sizes.flatMap { [Float($0.width), Float($0.height)] }, shape: [sizes.count, 1, 2])
    let (centres, extents) = (boxes.sliced(2, 0..<2), boxes.sliced(2, 2..<4))
    let corners = [centres - extents * 0.5, centres + extents * 0.5].map { $0 * scale }
    return [
      "scores": shares.amax([2]), "labels": shares.argMax(), "boxes": concatenate(corners, axis: 2),
    ]
  }
}

extension DETR: DetectionNetwork {
  public var labelCount: Int { configuration.labels }

  /// Throws `WeightsError` unless pictures in colours are resized by their shorter side, ``ConfigurationError`` for any setting.
  public func processor(
    _ preprocessing: PortableMetadata.Preprocessing, _ settings: Settings
  ) throws -> any DetectionProcessor {
    try ConfigurationEntries(settings).finish()
    return try Processor(preprocessing)
  }

  /// ``DETR/inputs(_:shortSide:longSide:normalization:)`` and ``DETR/detections(_:sizes:)`` with the numbers of weights.
  struct Processor: DetectionProcessor {
    let shortSide: Int
    /// No limit where there is none in the numbers: longer than any picture.
    let longSide: Int
    let normalization: Preprocessing

    init(_ portable: PortableMetadata.Preprocessing) throws {
      let sides = 1...65_536
      guard let shortSide = portable.resizeShorterSide, sides ~= shortSide,
        sides ~= portable.longestSide ?? 1, portable.height == nil, portable.width == nil,
        portable.channels == .rgb
      else {
        throw WeightsError(
          .mismatched,
          "the preprocessing does not bring pictures in RGB to a shorter side alone, as DETR needs it")
      }
      self.shortSide = shortSide
      longSide = portable.longestSide ?? Image.maximumPixelCount
      var rest = portable
      (rest.resizeShorterSide, rest.longestSide) = (nil, nil)
      normalization = try Preprocessing(rest, file: nil)
    }

    func size(width: Int, height: Int) -> (width: Int, height: Int) {
      DETR.resized(width: width, height: height, shortSide: shortSide, longSide: longSide)
    }

    func inputs(_ images: [Image]) -> NamedTensors {
      DETR.inputs(images, shortSide: shortSide, longSide: longSide, normalization: normalization)
    }

    func detections(
      _ outputs: NamedTensors, sizes: [(width: Int, height: Int)], labels: [String], threshold: Float
    ) -> [[Detection]] {
      let found = DETR.detections(outputs, sizes: sizes)
      let (scores, edges) = (found["scores"].values(), found["boxes"].values())
      let numbers = found["labels"].values(of: Int64.self).map { Int($0) }
      let queries = scores.count / sizes.count
      var counts = SelectionCounts("objects")
      defer { counts.tell() }
      return sizes.indices.map { picture in
        let rows = (picture * queries..<(picture + 1) * queries).filter { scores[$0] > threshold }
        counts.add("queries", queries)
        counts.add("scores above \(threshold)", rows.count)
        return rows.map { query in
          let box = Box(
            x1: edges[4 * query], y1: edges[4 * query + 1], x2: edges[4 * query + 2], y2: edges[4 * query + 3]
          )
          return Detection(
            box: box, label: labels[numbers[query]], labelIndex: numbers[query], score: scores[query])
        }
      }
    }
  }
}
