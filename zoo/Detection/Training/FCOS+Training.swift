import AviaryLayers
import AviaryTensors
import AviaryTraining
import AviaryVision

// What FCOS learns from, with the numbers of torchvision (Tian et al. 2019, arXiv:1904.01355, sections 3.1 to 3.3).

extension FCOS: TrainableDetector {
  /// A place answers for objects whose centre is nearer than this, in strides.
  private static let radius: Float = 1.5
  /// The longest of the distances to an object's edges that a level answers for, in strides; the finest and the coarsest level are open.
  private static let reach: (least: Float, most: Float) = (4, 8)

  /// `classification`, the focal loss, `bbox_regression`, what is missing of the generalised overlap, and `bbox_ctrness`, all over the number
  /// of the batch's places that answer for objects.
  public func losses(_ batch: DetectionBatch, choosing choose: (Int) -> [Int]) throws -> NamedTensors {
    let picture = configuration.scaling(batch.inputs)
    let truth = try ScaledTruth(batch, picture, labels: firstLabel..<configuration.labels, needsMasks: false)
    let answers = self.answers(picture)
    let labels = configuration.labels
    func joined(_ maps: [Tensor], each: Int) -> Tensor {
      concatenate(maps.map { $0.placeByPlace(each: each) }, axis: 1).reshaped([-1, each])
    }
    let logits = joined(answers.map(\.logits), each: labels)
    let levels = Self.places.boxes(answers.map(\.logits.shape), picture: picture.tensor.shape)

    var targets = [Float](repeating: 0, count: logits.count)
    var (rows, places, wanted): ([Int], [Box], [Box]) = ([], [], [])
    let all = levels.flatMap(\.self)
    for (index, boxes) in truth.boxes.enumerated() {
      for (place, object) in Self.matches(levels, truth: boxes).enumerated() {
        guard let object else { continue }
        let row = index * all.count + place
        targets[row * labels + truth.labels[index][object]] = 1
        rows.append(row)
        places.append(all[place])
        wanted.append(boxes[object])
      }
    }
    let share = 1 / Float(max(rows.count, 1))
    let focal = sigmoidFocalLoss(logits, targets: Tensor(targets, shape: logits.shape), reduction: .sum)
    guard !rows.isEmpty else {
      return [
        "classification": focal * share, "bbox_regression": Tensor(Float(0)),
        "bbox_ctrness": Tensor(Float(0)),
      ]
    }
    let distances = joined(answers.map(\.distances), each: 4).taking(rows, axis: 0)
    let centreness = joined(answers.map(\.centreness), each: 1).taking(rows, axis: 0)
    let overlaps = generalizedOverlaps(Self.boxes(distances, around: places), Tensor(edges: wanted))
    let central = zip(wanted, places).map(Self.centreness)
    return [
      "classification": focal * share, "bbox_regression": (1 - overlaps).sum() * share,
      "bbox_ctrness": sigmoidCrossEntropy(
        centreness, targets: Tensor(central, shape: centreness.shape), reduction: .sum) * share,
    ]
  }
}

extension FCOS {
  /// For each place of all levels the number of the object that it answers for: of those that it may, the smallest.
  ///
  /// - Parameter levels: a square as large as the stride around each place.
  static func matches(_ levels: [[Box]], truth: [Box]) -> [Int?] {
    levels.enumerated().flatMap { level, places in
      places.map { place -> Int? in
        let stride = place.width
        let least = level == 0 ? 0 : reach.least * stride
        let most = level == levels.count - 1 ? Float.infinity : reach.most * stride
        let fitting = truth.indices.filter { object in
          let box = truth[object]
          let away = max(
            abs(place.centre.x - box.centre.x), abs(place.centre.y - box.centre.y))
          let edges = box.edges(from: place)
          guard away < radius * stride, edges.min()! > 0 else { return false }
          return edges.max()! > least && edges.max()! < most
        }
        return fitting.min { truth[$0].area < truth[$1].area }
      }
    }
  }

  /// The boxes R×4 whose edges are so many strides, R×4, from the centres of places.
  private static func boxes(_ distances: Tensor, around places: [Box]) -> Tensor {
    let centres = places.flatMap { [$0.centre.x, $0.centre.y, $0.centre.x, $0.centre.y] }
    let strides = places.flatMap { [-$0.width, -$0.height, $0.width, $0.height] }
    let shape = distances.shape
    return Tensor(centres, shape: shape) + distances * Tensor(strides, shape: shape)
  }

  /// How near a place is to its object's centre: 1 there, 0 at the edges (equation 3).
  private static func centreness(_ box: Box, at place: Box) -> Float {
    let edges = box.edges(from: place)
    let (x, y) = ([edges[0], edges[2]], [edges[1], edges[3]])
    return (x.min()! / x.max()! * (y.min()! / y.max()!)).squareRoot()
  }
}

extension Box {
  fileprivate var centre: (x: Float, y: Float) { ((x1 + x2) / 2, (y1 + y2) / 2) }

  /// How far the left, upper, right and lower edge are from the centre of another box; negative where it lies outside.
  fileprivate func edges(from other: Box) -> [Float] {
    let (x, y) = other.centre
    return [x - x1, y - y1, x2 - x, y2 - y]
  }
}
