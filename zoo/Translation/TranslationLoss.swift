import AviaryLayers
import AviaryTensors
import AviaryTraining

extension TranslationNetwork {
  /// A learner of translations: cross-entropy of each next character, given the right ones before it.
  ///
  /// Its metrics are means over the batches: `character_accuracy`, the share of characters (and ends) that are the likeliest there, and `exact`, the
  /// share of translations in which all are, which are those that writing the likeliest character each time gets right.
  public func learner(
    _ vocabulary: TranslationVocabulary, _ optimizer: any Optimizer
  ) -> ObjectiveLearner<TextPairBatch> {
    ObjectiveLearner(self, optimizer) { [self] batch in
      let sources = try batch.sources.map(vocabulary.source.encode)
      let targets = try batch.targets.map(vocabulary.encode(target:))
      // One less is read than there are: nothing follows the end.
      let read = Tensor(targets.map { Array($0.dropLast()) }, filledWith: TranslationVocabulary.end)
      let labels = Tensor(targets.map { Array($0.dropFirst()) }, filledWith: Self.padding)
      let (logits, _) = teach(
        Tensor(sources, filledWith: 0), lengths: sources.map(\.count), target: read)
      let loss = softmaxCrossEntropy(
        logits.permuted([0, 2, 1]), labels: labels, ignoring: Self.padding)
      let guesses = logits.detached.argMax().values(of: Int64.self)
      let wanted = labels.values(of: Int64.self)
      let width = labels.shape[1]
      let isRight = wanted.indices.map { wanted[$0] == Int64(Self.padding) || guesses[$0] == wanted[$0] }
      let counted = wanted.count { $0 != Int64(Self.padding) }
      let wrong = isRight.count { !$0 }
      let exact = (0..<targets.count).count { row in
        isRight[row * width..<(row + 1) * width].allSatisfy(\.self)
      }
      return ObjectiveValue(
        loss: loss, count: targets.count,
        metrics: [
          "character_accuracy": 1 - Float(wrong) / Float(max(counted, 1)),
          "exact": Float(exact) / Float(max(targets.count, 1)),
        ])
    }
  }

  /// The label of places behind the end.
  private static var padding: Int { -1 }
}

extension Tensor {
  /// Rows of whole numbers as int64 N×L, shorter ones filled up.
  fileprivate init(_ rows: [[Int]], filledWith padding: Int) {
    let longest = rows.map(\.count).max() ?? 0
    let filled = rows.flatMap { $0 + Array(repeating: padding, count: longest - $0.count) }
    self.init(filled.map { Int64($0) }, shape: [rows.count, longest])
  }
}
