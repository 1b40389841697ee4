import AviaryTensors

/// How well detections agree with the truth, over many pictures: COCO's twelve numbers, by boxes or by masks, as pycocotools' `COCOeval` has
/// them.
public struct COCOEvaluation: Sendable {
  /// What is compared.
  public enum Measure: String, Sendable, Hashable, Codable, CaseIterable {
    /// Boxes; an object has the area that its annotation says.
    case boxes = "bbox"
    /// Masks, as results without boxes; detections without one count none.
    case masks = "segm"
  }

  /// An object as people marked it.
  public struct Truth: Sendable {
    /// Its box, class and mask.
    public let instance: Instance
    /// In square pixels, as the annotation says, by which it is small, medium or large.
    public let area: Double

    /// An object with the area of its annotation; nil for that of its mask, or else of its box.
    public init(_ instance: Instance, area: Double? = nil) {
      self.instance = instance
      self.area = area ?? (instance.mask.map { Double($0.area) } ?? Double(instance.box.area))
    }
  }

  /// Ranges of areas, inclusive at both ends.
  enum Range: Int, CaseIterable, Sendable {
    case all, small, medium, large

    var bounds: ClosedRange<Double> {
      switch self {
      case .all: 0...1e10
      case .small: 0...1024
      case .medium: 1024...9216
      case .large: 9216...1e10
      }
    }
  }

  /// A detection beside the truth of its picture; each bit stands for a threshold.
  struct Outcome: Sendable {
    let score: Float
    /// Its place among those of its class in its picture, the best 0.
    let rank: Int
    var found: UInt16 = 0
    var ignored: UInt16 = 0
  }

  /// What became of one class in one range of areas.
  struct Tally: Sendable {
    var outcomes: [Outcome] = []
    var objects = 0
  }

  /// What is compared.
  public let measure: Measure
  /// By class, for each range.
  var tallies: [Int: [Tally]] = [:]

  /// Thresholds of intersection over union, as NumPy's `linspace(.5, .95, 10)`.
  static let thresholds: [Double] = {
    let step = (0.95 - 0.5) / 9
    return (0..<9).map { Double($0) * step + 0.5 } + [0.95]
  }()
  /// Detections of a class in a picture that count.
  static let most = 100

  /// An evaluation of no pictures yet.
  public init(_ measure: Measure) { self.measure = measure }

  /// Counts one picture whose objects have the areas of their masks, or else of their boxes. Pictures come in the order of their identifiers.
  public mutating func add(_ detections: [Detection], objects: [Instance]) {
    add(detections, truth: objects.map { Truth($0) })
  }

  /// Counts one picture: what was found in it, and what is. Pictures come in the order of their identifiers.
  public mutating func add(_ detections: [Detection], truth: [Truth]) {
    let detections = Dictionary(
      grouping: detections.filter { measure == .boxes || $0.mask != nil }, by: \.labelIndex)
    let truth = Dictionary(grouping: truth, by: \.instance.labelIndex)
    for label in Set(detections.keys).union(truth.keys) {
      let (found, objects) = (detections[label] ?? [], truth[label] ?? [])
      let best = descendingOrder(of: found.map(\.score)).prefix(Self.most).map { found[$0] }
      let overlaps = best.map { detection in objects.map { overlap(detection, $0) } }
      var tallies = self.tallies[label] ?? Range.allCases.map { _ in Tally() }
      for range in Range.allCases {
        let isIgnored = objects.map { $0.instance.isCrowd || !range.bounds.contains($0.area) }
        tallies[range.rawValue].objects += isIgnored.count { !$0 }
        tallies[range.rawValue].outcomes += outcomes(best, objects, overlaps, isIgnored, range)
      }
      self.tallies[label] = tallies
    }
  }
}

// MARK: Matching in one picture

extension COCOEvaluation {
  private func outcomes(
    _ detections: [Detection], _ objects: [Truth], _ overlaps: [[Double]], _ isIgnored: [Bool], _ range: Range
  ) -> [Outcome] {
    var outcomes = detections.enumerated().map { Outcome(score: $1.score, rank: $0) }
    // What is ignored comes last.
    let order = objects.indices.filter { !isIgnored[$0] } + objects.indices.filter { isIgnored[$0] }
    for (bit, threshold) in Self.thresholds.enumerated() {
      var isTaken = [Bool](repeating: false, count: objects.count)
      for index in detections.indices {
        var (least, match) = (min(threshold, 1 - 1e-10), Int?.none)
        for object in order where !isTaken[object] || objects[object].instance.isCrowd {
          if let match, !isIgnored[match], isIgnored[object] { break }
          if overlaps[index][object] < least { continue }
          (least, match) = (overlaps[index][object], object)
        }
        if let match {
          isTaken[match] = true
          outcomes[index].found |= 1 << UInt16(bit)
          if isIgnored[match] { outcomes[index].ignored |= 1 << UInt16(bit) }
        } else if !range.bounds.contains(area(detections[index])) {
          outcomes[index].ignored |= 1 << UInt16(bit)
        }
      }
    }
    return outcomes
  }

  private func area(_ detection: Detection) -> Double {
    switch measure {
    case .boxes: Double(detection.box.width) * Double(detection.box.height)
    case .masks: Double(detection.mask?.area ?? 0)
    }
  }

  /// Intersection over union, for a crowd over the detection's area.
  private func overlap(_ detection: Detection, _ truth: Truth) -> Double {
    let object = truth.instance
    let (inner, first, second): (Double, Double, Double)
    switch measure {
    case .boxes:
      let (a, b) = (detection.box, object.box)
      let width = min(Double(a.x2), Double(b.x2)) - max(Double(a.x1), Double(b.x1))
      let height = min(Double(a.y2), Double(b.y2)) - max(Double(a.y1), Double(b.y1))
      inner = width > 0 && height > 0 ? width * height : 0
      first = area(detection)
      second = (Double(b.x2) - Double(b.x1)) * (Double(b.y2) - Double(b.y1))
    case .masks:
      guard let found = detection.mask, let mask = object.mask, found.width == mask.width,
        found.height == mask.height
      else { return 0 }
      let both = zip(found.pixels, mask.pixels).reduce(0) { $0 + ($1.0 && $1.1 ? 1 : 0) }
      (inner, first, second) = (Double(both), Double(found.area), Double(mask.area))
    }
    let whole = object.isCrowd ? first : first + second - inner
    return whole > 0 ? inner / whole : 0
  }
}
