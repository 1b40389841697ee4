import AviaryTensors

/// How many examples each class has.
public struct ClassBalance: Sendable, Hashable, Codable {
  /// One name per class.
  public let classNames: [String]
  /// Examples of each class, in the order of names.
  public let counts: [Int]

  /// So many examples of each class, in the order of names.
  public init(counts: [Int], classNames: [String]) {
    require(counts.count == classNames.count, "\(counts.count) numbers for \(classNames.count) classes")
    (self.counts, self.classNames) = (counts, classNames)
  }

  /// The balance of labels, each of which is one of the classes.
  public init(labels: [Int], classNames: [String]) {
    var counts = [Int](repeating: 0, count: classNames.count)
    for label in labels {
      require(counts.indices.contains(label), "the label \(label), of \(counts.count) classes")
      counts[label] += 1
    }
    self.classNames = classNames
    self.counts = counts
  }

  /// The balance of a data set, without decoding it.
  public init(_ data: some Dataset) {
    self.init(labels: (0..<data.count).map(data.label), classNames: data.classNames)
  }

  /// How many times as many examples the largest class has as the smallest that has some; 1 where there are none.
  public var imbalance: Float {
    let present = counts.filter { $0 > 0 }
    guard let smallest = present.min(), let largest = present.max() else { return 1 }
    return Float(largest) / Float(smallest)
  }

  /// A weight per class for the loss, examples / (classes · the class's examples), so that the mean over the examples is 1 (scikit-learn's
  /// `balanced`). Classes without examples, which do not count among the classes, have 0.
  public var weights: [Float] {
    let present = counts.count { $0 > 0 }
    let total = counts.reduce(0, +)
    return counts.map { $0 == 0 ? 0 : Float(total) / (Float(present) * Float($0)) }
  }
}

extension ClassBalance: CustomStringConvertible {
  /// `cat 90, dog 10: 9.0 times as many of the one as of the other`; more than ten classes are not listed.
  public var description: String {
    let ratio = String(Float((imbalance * 10).rounded() / 10))
    let empty = counts.count { $0 == 0 }
    let note = empty == 0 ? "" : "; \(empty) classes without examples"
    if counts.count > 10 {
      return "\(counts.count) classes, the largest \(ratio) times the smallest" + note
    }
    let list = zip(classNames, counts).map { "\($0) \($1)" }.joined(separator: ", ")
    return "\(list): the largest \(ratio) times the smallest" + note
  }
}
