import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights
import Foundation

extension Darknet: DetectionNetwork {
  /// The classes that the heads tell apart; none where there is no head.
  public var labelCount: Int { heads.first?.head.classes ?? 0 }

  /// What overlaps a surer object of its class by more than this, where the settings say nothing.
  static let overlap = 0.45

  /// The settings are `iou_threshold` and `resampling`. Throws `WeightsError` for a network without heads, or a preprocessing that is not darknet's: RGB from
  /// 0 to 1; ``ConfigurationError`` for other settings.
  public func processor(
    _ preprocessing: PortableMetadata.Preprocessing, _ settings: Settings
  ) throws -> any DetectionProcessor {
    var entries = ConfigurationEntries(settings)
    let overlap = try entries.number("iou_threshold", 0...1, missing: Self.overlap)
    let resampling = try entries.choice(
      "resampling", DarknetFrame.Resampling.self, missing: .antialiased)
    try entries.finish()
    guard let head = heads.first?.head else {
      throw WeightsError(
        .mismatched, "the .cfg has no [yolo], [region] or [detection] at its end: it finds no objects")
    }
    guard preprocessing == .init(), input.channels == 3 else {
      throw WeightsError(
        .mismatched,
        "the preprocessing does not make pictures in RGB from 0 to 1, as darknet's networks need them")
    }
    return Processor(
      frame: DarknetFrame(
        width: input.width, height: input.height, keepsProportions: keepsProportions,
        resampling: resampling),
      classes: head.classes, overlap: overlap, suppression: head.suppression)
  }

  /// From pictures to the network's, and from its boxes to objects, of which each class keeps those that no surer one overlaps.
  struct Processor: DetectionProcessor {
    let frame: DarknetFrame
    let classes: Int
    let overlap: Double
    let suppression: DarknetHead.Suppression

    func size(width: Int, height: Int) -> (width: Int, height: Int) { (frame.width, frame.height) }

    func inputs(_ images: [Image]) -> NamedTensors { ["images": frame(images)] }

    func detections(
      _ outputs: NamedTensors, sizes: [(width: Int, height: Int)], labels: [String], threshold: Float
    ) -> [[Detection]] {
      let predictions = outputs["predictions"]
      let (rows, width) = (predictions.shape[1], 5 + classes)
      var counts = SelectionCounts("objects")
      defer { counts.tell() }
      return predictions.withUnsafeValues { values in
        sizes.enumerated().map { picture, size in
          var (found, certain): ([Detection], Int) = ([], 0)
          for row in 0..<rows {
            let start = (picture * rows + row) * width
            let certainty = values[start + 4]
            guard certainty > threshold else { continue }
            certain += 1
            var box: Box?
            for label in 0..<classes {
              let score = certainty * values[start + 5 + label]
              guard score > threshold else { continue }
              let place =
                box
                ?? frame.box(
                  values[start], values[start + 1], values[start + 2], values[start + 3], of: size)
              box = place
              found.append(Detection(box: place, label: labels[label], labelIndex: label, score: score))
            }
          }
          let left = suppressed(found)
          counts.add("boxes", rows)
          counts.add("certainties above \(threshold)", certain)
          counts.add("scores of classes above \(threshold)", found.count)
          counts.add("left by suppression above \(overlap)", left.count)
          return left
        }
      }
    }

    private func suppressed(_ found: [Detection]) -> [Detection] {
      guard case .distance(let beta) = suppression else { return found.suppressed(threshold: overlap) }
      var kept: [Int: [Detection]] = [:]
      let order = found.indices.sorted { (found[$1].score, $0) < (found[$0].score, $1) }
      return order.map { found[$0] }.filter { candidate in
        let stays = kept[candidate.labelIndex, default: []].allSatisfy {
          Double($0.box.iou(candidate.box) - $0.box.distance(candidate.box, beta: beta)) <= overlap
        }
        if stays { kept[candidate.labelIndex, default: []].append(candidate) }
        return stays
      }
    }
  }
}

extension Box {
  /// (d² / c²)^beta with the distance d of the centres and the diagonal c of the box around both (Zheng et al. 2020, arXiv:1911.08287); 0 where
  /// that is a point.
  fileprivate func distance(_ other: Box, beta: Float) -> Float {
    let (width, height) = (max(x2, other.x2) - min(x1, other.x1), max(y2, other.y2) - min(y1, other.y1))
    let diagonal = width * width + height * height
    guard diagonal > 0 else { return 0 }
    let (x, y) = ((x1 + x2 - other.x1 - other.x2) / 2, (y1 + y2 - other.y1 - other.y2) / 2)
    return powf((x * x + y * y) / diagonal, beta)
  }
}
