import Aviary

/// How a classifier does on labelled examples, class by class. Examples that cannot be read end nothing: the others count.
struct ClassEvaluation {
  private(set) var matrix: ConfusionMatrix
  /// One sentence for each example that could not be read, and at the end for outputs that are not numbers.
  private(set) var errors: [String] = []
  private var lossSum: Float = 0
  private var topHits = 0

  /// How many of the likeliest classes ``topAccuracy`` looks at.
  static let top = 5
  /// The share of examples whose class is among the likeliest few; nil where there are no more classes than that.
  var topAccuracy: Float? {
    matrix.classNames.count > Self.top ? Float(topHits) / Float(max(matrix.count, 1)) : nil
  }

  /// The mean over all examples that could be read.
  var loss: Float { lossSum / Float(max(matrix.count, 1)) }

  init(
    of network: (Tensor) -> Tensor, on data: any Dataset, batch: Int,
    progress: (_ done: Int, _ total: Int) -> Void, failure: (String) -> Void
  ) {
    matrix = ConfusionMatrix(classNames: data.classNames)
    var senseless = 0
    var waiting: [(input: Tensor, label: Int)] = []
    func note(_ error: String) {
      errors.append(error)
      failure(error)
    }
    func flush() {
      guard !waiting.isEmpty else { return }
      senseless += add(network(stack(waiting.map(\.input))), waiting.map(\.label))
      waiting.removeAll()
    }
    for index in 0..<data.count {
      do {
        let input = try data.input(index)
        // Networks that take pictures of any size take one size at a time.
        if waiting.first.map({ $0.input.shape != input.shape }) ?? false { flush() }
        waiting.append((input, data.label(index)))
      } catch {
        note("\(error)")
      }
      if waiting.count == batch || index == data.count - 1 { flush() }
      progress(index + 1, data.count)
    }
    if senseless > 0 {
      note("the network's outputs for \(senseless) of \(data.count) examples are not numbers")
      lossSum = .nan
    }
  }

  /// Counts a batch, and returns how many of its rows are not numbers.
  private mutating func add(_ logits: Tensor, _ labels: [Int]) -> Int {
    let classes = logits.shape[1]
    let values = logits.values()
    let predictions = logits.argMax(1).values(of: Int64.self)
    var senseless = 0
    for (row, label) in labels.enumerated() {
      if values[row * classes..<(row + 1) * classes].allSatisfy(\.isFinite) {
        matrix.add(class: label, predicted: Int(predictions[row]))
        // Among equals the earlier class is the likelier one.
        let scores = values[row * classes..<(row + 1) * classes]
        let own = scores[scores.startIndex + label]
        let before = scores.enumerated().count { $1 > own || $1 == own && $0 < label }
        if before < Self.top { topHits += 1 }
      } else {
        senseless += 1
      }
    }
    if senseless == 0 {
      lossSum +=
        softmaxCrossEntropy(logits, labels: Tensor(labels.map(Int64.init))).item() * Float(labels.count)
    }
    return senseless
  }
}
