import Aviary

/// The page about a run, with what its best weights make of the validation data.
enum RunReport {
  /// Pictures of each kind that are shown.
  private static let shown = 12

  /// - Parameters:
  ///   - best: with the best epoch's weights.
  ///   - data: pictures that it was not trained on.
  ///   - facts: what was asked for.
  static func page(
    _ best: LoadedClassifier, on data: any Dataset, _ reports: [EpochReport],
    facts: [(name: String, value: String)]
  ) throws -> TrainingReport {
    var matrix = ConfusionMatrix(classNames: data.classNames)
    var judged: [(index: Int, label: Int, predicted: Int, probability: Float)] = []
    best.model.evaluate()
    let compiled = best.model.compiled(for: [1] + best.inputShape, algorithms: .direct)
    for index in 0..<data.count {
      let probabilities = compiled(try data.input(index).expandedAxis(at: 0)).softmax().values()
      let (label, predicted) = (
        data.label(index), probabilities.indices.max { probabilities[$0] < probabilities[$1] }!
      )
      matrix.add(class: label, predicted: predicted)
      judged.append((index, label, predicted, probabilities[label]))
    }
    let ranked = judged.sorted { ($0.probability, $0.index) < ($1.probability, $1.index) }
    func examples(_ some: some Sequence<(index: Int, label: Int, predicted: Int, probability: Float)>) throws
      -> [TrainingReport.Example]
    {
      try some.compactMap { example in
        guard let png = try png(of: try data.input(example.index)) else { return nil }
        return TrainingReport.Example(
          png: png, label: data.classNames[example.label], predicted: data.classNames[example.predicted],
          probability: example.probability)
      }
    }
    var page = TrainingReport(
      title: "\(best.name): \(data.classNames.count) classes", facts: facts,
      runs: [TrainingReport.Run(best.name, reports)], confusion: matrix)
    page.worst = try examples(ranked.prefix(shown))
    page.best = try examples(ranked.reversed().prefix(shown))
    return page
  }

  /// An input C×H×W as a picture whose darkest value is black and whose lightest is white; nil for what is no picture.
  private static func png(of input: Tensor) throws -> [UInt8]? {
    guard input.rank == 3, [1, 3].contains(input.shape[0]) else { return nil }
    let values = input.values()
    guard let low = values.min(), let high = values.max(), high > low else { return nil }
    return try Image.pictures(of: input.expandedAxis(at: 0), range: low...high)[0].fileBytes()
  }
}
