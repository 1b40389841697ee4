import AviaryTensors

/// How often a classifier took examples of each class for which class.
public struct ConfusionMatrix: Sendable, Hashable {
  /// One name per class.
  public let classNames: [String]
  /// By class, then by what it was taken for; only what occurred.
  private var counts: [Int: [Int: Int]] = [:]

  /// A matrix without examples.
  public init(classNames: [String]) { self.classNames = classNames }

  /// Counts examples (or pixels) of class `label` that were taken for class `predicted`.
  public mutating func add(class label: Int, predicted: Int, count: Int = 1) {
    guard count > 0 else { return }
    counts[label, default: [:]][predicted, default: 0] += count
  }

  /// Examples of class `label` that were taken for class `predicted`.
  public subscript(label: Int, predicted: Int) -> Int { counts[label]?[predicted] ?? 0 }

  /// Examples of a class.
  public func count(of label: Int) -> Int { counts[label]?.values.reduce(0, +) ?? 0 }
  /// Examples of a class that were taken for it.
  public func correct(of label: Int) -> Int { self[label, label] }

  /// All examples, and how many of them were recognised.
  public var count: Int { counts.keys.reduce(0) { $0 + count(of: $1) } }
  /// Examples that were taken for their own class.
  public var correct: Int { counts.keys.reduce(0) { $0 + correct(of: $1) } }
  /// The share of examples that were taken for their own class; 0 without examples.
  public var accuracy: Float { Float(correct) / Float(max(count, 1)) }

  /// The classes of which there were examples.
  public var present: [Int] { counts.keys.sorted() }
  /// The classes of which there were examples or that were mistaken for one of those.
  public var occurring: [Int] { Set(counts.values.flatMap(\.keys)).union(counts.keys).sorted() }

  /// What was mistaken for what, the most frequent first.
  public var confusions: [(label: Int, predicted: Int, count: Int)] {
    counts.flatMap { label, row in
      row.filter { $0.key != label }.map { (label: label, predicted: $0.key, count: $0.value) }
    }.sorted { ($1.count, $0.label, $0.predicted) < ($0.count, $1.label, $1.predicted) }
  }
}

extension ConfusionMatrix {
  /// Of what was taken for a class, the share that is of it; nil where nothing was.
  public func precision(of label: Int) -> Float? {
    let taken = counts.values.reduce(0) { $0 + ($1[label] ?? 0) }
    return taken == 0 ? nil : Float(correct(of: label)) / Float(taken)
  }

  /// Of a class' examples, the share that was taken for it; nil where there are none.
  public func recall(of label: Int) -> Float? {
    let count = count(of: label)
    return count == 0 ? nil : Float(correct(of: label)) / Float(count)
  }

  /// 2 · precision · recall / (precision + recall): 2 TP / (2 TP + FP + FN); nil where the class occurs on neither side.
  public func f1(of label: Int) -> Float? {
    let taken = counts.values.reduce(0) { $0 + ($1[label] ?? 0) }
    let all = taken + count(of: label)
    return all == 0 ? nil : 2 * Float(correct(of: label)) / Float(all)
  }

  /// The mean of ``f1(of:)`` over the classes that occur ("macro").
  public var meanF1: Float? {
    let values = occurring.compactMap { f1(of: $0) }
    return values.isEmpty ? nil : values.reduce(0, +) / Float(values.count)
  }
}
