import AviaryTensors

/// How well detections agree with the truth, over many pictures: COCO's average precision.
///
/// The numbers are those of pycocotools' `COCOeval` for boxes of all areas and at most 100 detections per picture and class.
public struct DetectionMetrics: Sendable {
  /// Average precision: the mean precision at 101 recalls, each the best that any recall as high or higher has.
  public struct Scores: Sendable, Hashable, Codable {
    /// The mean over the thresholds .50, .55, … .95 of intersection over union.
    public let averagePrecision: Double
    /// At the threshold .50, as PASCAL VOC asks.
    public let at50: Double
    /// At the threshold .75.
    public let at75: Double
  }

  /// A detection beside the truth; each bit stands for a threshold.
  private struct Outcome {
    let score: Float
    /// Where an object was left for it.
    var found: UInt16 = 0
    /// Where it fell to a crowd.
    var ignored: UInt16 = 0
  }

  /// Thresholds of intersection over union. Made like NumPy's `linspace(.5, .95, 10)`, whose last bits decide about equals.
  private static let thresholds: [Double] = {
    let step = (0.95 - 0.5) / 9
    return (0..<9).map { Double($0) * step + 0.5 } + [0.95]
  }()

  /// By class: every picture's detections.
  private var outcomes: [Int: [Outcome]] = [:]
  /// By class: objects that are no crowd.
  private var objectCounts: [Int: Int] = [:]
  /// Detections that count, of one class in one picture: the best.
  private let maximumCount: Int

  /// Metrics of no pictures yet; of each class, the `maximumCount` best detections of a picture count.
  public init(maximumCount: Int = 100) {
    require(maximumCount > 0, "at most \(maximumCount) detections")
    self.maximumCount = maximumCount
  }

  /// Counts one picture: what was found in it, and what is.
  public mutating func add(_ detections: [Detection], truth: [TrueObject]) {
    let detections = Dictionary(grouping: detections, by: \.labelIndex)
    let truth = Dictionary(grouping: truth, by: \.labelIndex)
    for label in Set(detections.keys).union(truth.keys) {
      let (found, objects) = (detections[label] ?? [], truth[label] ?? [])
      let best = descendingOrder(of: found.map(\.score)).prefix(maximumCount).map { found[$0] }
      // Crowds come last: they only take what no object does.
      let ordered = objects.filter { !$0.isCrowd } + objects.filter(\.isCrowd)
      outcomes[label, default: []] += Self.outcomes(best, ordered)
      objectCounts[label, default: 0] += objects.count { !$0.isCrowd }
    }
  }
}

// MARK: Matching in one picture

extension DetectionMetrics {
  /// Gives each detection, best first, the object it overlaps most of those that are left.
  private static func outcomes(_ detections: [Detection], _ objects: [TrueObject]) -> [Outcome] {
    let overlaps = detections.map { detection in objects.map { overlap(detection.box, $0) } }
    var outcomes = detections.map { Outcome(score: $0.score) }
    for (bit, threshold) in thresholds.enumerated() {
      var isTaken = [Bool](repeating: false, count: objects.count)
      for index in detections.indices {
        guard let match = match(overlaps[index], objects, isTaken, threshold) else { continue }
        if objects[match].isCrowd {
          outcomes[index].ignored |= 1 << UInt16(bit)
        } else {
          outcomes[index].found |= 1 << UInt16(bit)
          isTaken[match] = true
        }
      }
    }
    return outcomes
  }

  /// The object of the largest overlap that reaches the threshold, the last of equals; crowds are never taken.
  private static func match(
    _ overlaps: [Double], _ objects: [TrueObject], _ isTaken: [Bool], _ threshold: Double
  ) -> Int? {
    var (least, match) = (threshold, Int?.none)
    for (index, object) in objects.enumerated() where !isTaken[index] {
      if object.isCrowd, let match, !objects[match].isCrowd { break }
      if overlaps[index] >= least { (least, match) = (overlaps[index], index) }
    }
    return match
  }

  /// Intersection over union, for a crowd over the detection's area. In double precision as pycocotools' `bbIou`, since matching hangs
  /// on comparisons with thresholds.
  private static func overlap(_ box: Box, _ object: TrueObject) -> Double {
    let (x1, y1, x2, y2) = (Double(box.x1), Double(box.y1), Double(box.x2), Double(box.y2))
    let other = object.box
    let width = min(x2, Double(other.x2)) - max(x1, Double(other.x1))
    let height = min(y2, Double(other.y2)) - max(y1, Double(other.y1))
    guard width > 0 && height > 0 else { return 0 }
    let intersection = width * height
    let area = (x2 - x1) * (y2 - y1)
    if object.isCrowd { return intersection / area }
    let otherArea = (Double(other.x2) - Double(other.x1)) * (Double(other.y2) - Double(other.y1))
    return intersection / (area + otherArea - intersection)
  }
}

// MARK: Average precision

extension DetectionMetrics {
  /// The classes of which there were objects that are no crowd, in ascending order: those that count.
  public var classes: [Int] { objectCounts.filter { $0.value > 0 }.keys.sorted() }

  /// The scores of one class; nil when there was no object of it.
  public func scores(of label: Int) -> Scores? {
    guard let count = objectCounts[label], count > 0 else { return nil }
    let outcomes = outcomes[label] ?? []
    let sorted = descendingOrder(of: outcomes.map(\.score)).map { outcomes[$0] }
    let precisions = Self.thresholds.indices.map {
      Self.averagePrecision(sorted, bit: 1 << UInt16($0), objectCount: count)
    }
    return Scores(
      averagePrecision: precisions.reduce(0, +) / Double(precisions.count), at50: precisions[0],
      at75: precisions[5])
  }

  /// The means of the scores over ``classes``; nil when there are none.
  public var scores: Scores? {
    let all = classes.compactMap { scores(of: $0) }
    guard !all.isEmpty else { return nil }
    func mean(_ score: (Scores) -> Double) -> Double { all.reduce(0) { $0 + score($1) } / Double(all.count) }
    return Scores(
      averagePrecision: mean(\.averagePrecision), at50: mean(\.at50), at75: mean(\.at75))
  }

  /// At one threshold, from all detections of a class, best first.
  private static func averagePrecision(_ outcomes: [Outcome], bit: UInt16, objectCount: Int) -> Double {
    var (recalls, precisions): ([Double], [Double]) = ([], [])
    var (right, wrong) = (0, 0)
    for outcome in outcomes where outcome.ignored & bit == 0 {
      if outcome.found & bit != 0 { right += 1 } else { wrong += 1 }
      recalls.append(Double(right) / Double(objectCount))
      // pycocotools adds the least number that changes 1.
      precisions.append(Double(right) / (Double(right + wrong) + .ulpOfOne))
    }
    for index in precisions.indices.dropLast().reversed() {
      precisions[index] = max(precisions[index], precisions[index + 1])
    }
    var (sum, place) = (0.0, 0)
    for hundredth in 0...100 {
      let recall = hundredth == 100 ? 1 : Double(hundredth) * 0.01
      while place < recalls.count && recalls[place] < recall { place += 1 }
      if place == recalls.count { break }
      sum += precisions[place]
    }
    return sum / 101
  }
}
