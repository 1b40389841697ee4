import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights

extension YOLO: DetectionNetwork {
  public var labelCount: Int { configuration.classes }

  /// The settings are `iou_threshold`, `most_boxes`, `letterbox` and `resampling`.
  ///
  /// Throws `WeightsError` for a preprocessing that is not ultralytics', a square that is a multiple of 32 of RGB from 0 to 1;
  /// ``ConfigurationError`` for other settings.
  public func processor(
    _ preprocessing: PortableMetadata.Preprocessing, _ settings: Settings
  ) throws -> any DetectionProcessor {
    var entries = ConfigurationEntries(settings)
    let overlap = try entries.number("iou_threshold", 0...1, missing: 0.7)
    let most = try entries.integer("most_boxes", 1...30_000, missing: 300)
    let isTight = try entries.choice("letterbox", ["tight": true, "square": false], missing: true)
    let resampling = try entries.choice("resampling", Letterbox.Resampling.self, missing: .antialiased)
    try entries.finish()
    let side = preprocessing.height ?? 0
    guard preprocessing == .init(height: side, width: side), 32...4096 ~= side, side % Letterbox.step == 0
    else {
      throw WeightsError(
        .mismatched,
        "the preprocessing does not fit pictures in RGB from 0 to 1 into a square whose side is a multiple of 32, as YOLO needs them"
      )
    }
    return Processor(
      letterbox: Letterbox(side: side, isTight: isTight, resampling: resampling), head: configuration.head,
      classes: configuration.classes, overlap: overlap, mostBoxes: most)
  }

  /// From pictures to the network's, and from its boxes to objects: each box is of its likeliest class, and each class keeps those that no
  /// surer one overlaps.
  struct Processor: DetectionProcessor {
    let letterbox: Letterbox
    let head: Head
    let classes: Int
    let overlap: Double
    let mostBoxes: Int
    /// Boxes that are looked at, the surest ones.
    static let mostCandidates = 30_000

    func size(width: Int, height: Int) -> (width: Int, height: Int) {
      let place = letterbox.place(width: width, height: height, isTight: letterbox.isTight)
      return (place.width, place.height)
    }

    func inputs(_ images: [Image]) -> NamedTensors { ["images": letterbox(images)] }

    func detections(
      _ outputs: NamedTensors, sizes: [(width: Int, height: Int)], labels: [String], threshold: Float
    ) -> [[Detection]] {
      let predictions = outputs["predictions"]
      // Rows of boxes, as v5 has them.
      let rows = head == .anchors ? predictions : predictions.transposed()
      let (count, width) = (rows.shape[1], rows.shape[2])
      let places = letterbox.places(sizes)
      var counts = SelectionCounts("objects")
      defer { counts.tell() }
      return rows.withUnsafeValues { values in
        sizes.indices.map { picture in
          let candidates = (0..<count).compactMap { row in
            candidate(
              values[((picture * count + row) * width)..<((picture * count + row + 1) * width)], threshold)
          }
          let best = candidates.indices.sorted {
            (candidates[$1].score, $0) < (candidates[$0].score, $1)
          }.prefix(Self.mostCandidates).map { candidates[$0] }
          let left = best.suppressed(threshold: overlap)
          counts.add("boxes", count)
          counts.add("scores above \(threshold)", candidates.count)
          counts.add("best \(Self.mostCandidates)", best.count)
          counts.add("left by suppression above IoU \(overlap)", left.count)
          counts.add("best \(mostBoxes)", min(left.count, mostBoxes))
          return left.prefix(mostBoxes).map { found in
            var found = found
            found.label = labels[found.labelIndex]
            found.box = places[picture].box(found.box, of: sizes[picture])
            return found
          }
        }
      }
    }

    /// The box of a row in the network's picture; nil when it is not sure enough.
    private func candidate(_ row: Slice<UnsafeBufferPointer<Float>>, _ threshold: Float) -> Detection? {
      let start = row.startIndex
      let first = start + (head == .anchors ? 5 : 4)
      let certainty = head == .anchors ? row[start + 4] : 1
      guard certainty > threshold else { return nil }
      var label = 0
      for other in 0..<classes where row[first + other] > row[first + label] { label = other }
      let score = certainty * row[first + label]
      guard score > threshold else { return nil }
      let (x, y, w, h) = (row[start], row[start + 1], row[start + 2] / 2, row[start + 3] / 2)
      return Detection(
        box: Box(x1: x - w, y1: y - h, x2: x + w, y2: y + h), label: "", labelIndex: label, score: score)
    }
  }
}
