import AviaryTensors

/// How well label maps agree with the truth, over many pictures: each counted pixel by its true and by its predicted class.
public struct SegmentationMetrics: Sendable, Hashable {
  /// A pixel has a label that is none of the classes.
  public struct UnknownLabel: Error, Hashable, CustomStringConvertible {
    /// Which of the maps has it.
    public enum Source: String, Sendable, Hashable {
      /// The map that is judged.
      case predicted
      /// The map it is compared with.
      case truth
    }

    /// Which of the maps has it.
    public let source: Source
    /// The label.
    public let label: UInt8
    /// The column of the first such pixel.
    public let x: Int
    /// The row of the first such pixel.
    public let y: Int
    /// How many classes there are.
    public let classCount: Int

    public var description: String {
      "the \(source.rawValue) label \(label) at (\(x), \(y)) is none of \(classCount) classes"
    }
  }

  /// Classes, numbered from 0.
  public let classCount: Int
  /// The true label of pixels that do not count.
  public let ignored: UInt8?
  /// Pixels by true class, then by predicted class: `classCount * classCount` numbers.
  public private(set) var counts: [Int]

  /// Metrics of no pixels yet.
  public init(classCount: Int, ignored: UInt8? = LabelMap.ignored) {
    require((1...256).contains(classCount), "labels of \(classCount) classes")
    self.classCount = classCount
    self.ignored = ignored
    counts = Array(repeating: 0, count: classCount * classCount)
  }

  /// Counts the pixels of one picture; throws ``UnknownLabel`` and counts none when a label is neither a class nor ignored.
  ///
  /// What was predicted where the truth is ``ignored`` does not matter.
  public mutating func add(_ predicted: LabelMap, truth: LabelMap) throws(UnknownLabel) {
    require(
      predicted.width == truth.width && predicted.height == truth.height,
      "labels of \(predicted.width)×\(predicted.height) pixels do not fit a truth of \(truth.width)×\(truth.height)"
    )
    var sum = counts
    for (position, label) in truth.labels.enumerated() where label != ignored {
      let guess = predicted.labels[position]
      guard label < classCount && guess < classCount else {
        let source: UnknownLabel.Source = label < classCount ? .predicted : .truth
        throw UnknownLabel(
          source: source, label: source == .truth ? label : guess, x: position % truth.width,
          y: position / truth.width, classCount: classCount)
      }
      sum[Int(label) * classCount + Int(guess)] += 1
    }
    counts = sum
  }

  /// Pixels by true class, then by predicted class: a row for each true class.
  public var confusion: [[Int]] {
    (0..<classCount).map { Array(counts[$0 * classCount..<($0 + 1) * classCount]) }
  }

  /// Pixels of class `truth` that were taken for class `predicted`.
  public subscript(truth truth: Int, predicted predicted: Int) -> Int {
    counts[truth * classCount + predicted]
  }
}

extension SegmentationMetrics {
  /// The share of pixels that have their true class; nil before any counted.
  public var pixelAccuracy: Double? {
    Self.ratio((0..<classCount).reduce(0) { $0 + self[truth: $1, predicted: $1] }, counts.reduce(0, +))
  }

  /// Intersection over union (Jaccard's index) of each class; nil for classes that neither map has.
  public var iou: [Double?] {
    (0..<classCount).map {
      let both = self[truth: $0, predicted: $0]
      return Self.ratio(both, trueCount(of: $0) + predictedCount(of: $0) - both)
    }
  }

  /// Dice's coefficient of each class, twice the intersection over the sum; nil for classes that neither map has.
  public var dice: [Double?] {
    (0..<classCount).map {
      Self.ratio(2 * self[truth: $0, predicted: $0], trueCount(of: $0) + predictedCount(of: $0))
    }
  }

  /// The mean of ``iou`` over the classes that one of the maps has; nil before any pixel counted.
  public var meanIoU: Double? { Self.mean(iou) }

  /// The mean of ``dice`` over the classes that one of the maps has; nil before any pixel counted.
  public var meanDice: Double? { Self.mean(dice) }

  private func trueCount(of label: Int) -> Int {
    (0..<classCount).reduce(0) { $0 + self[truth: label, predicted: $1] }
  }

  private func predictedCount(of label: Int) -> Int {
    (0..<classCount).reduce(0) { $0 + self[truth: $1, predicted: label] }
  }

  private static func ratio(_ part: Int, _ whole: Int) -> Double? {
    whole == 0 ? nil : Double(part) / Double(whole)
  }

  private static func mean(_ values: [Double?]) -> Double? {
    let values = values.compactMap(\.self)
    return values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
  }
}
