import AviaryLayers
import AviaryTensors
import AviaryTraining

extension CaptioningNetwork {
  /// A learner of captions: cross-entropy of each next word, and that all places are looked at about as much over a caption (equation 14 of the
  /// Show, Attend and Tell, "doubly stochastic attention"), where it looks at several.
  ///
  /// Of pictures with several captions one is drawn. Its metrics are means over the batches: `word_accuracy`, the share of words that are the
  /// likeliest after the right ones before them.
  /// - Parameters:
  ///   - vocabulary: words that it does not have are `<unk>`.
  ///   - attentionWeight: what the second part counts; the paper's and the tutorial's is 1.
  ///   - ownShare: how often, from 0 to 1, the network goes on from its own word while it learns, not from the right one ("scheduled sampling",
  ///     Bengio et al. 2015, arXiv:1506.03099, who raise it from epoch to epoch).
  public func learner(
    _ vocabulary: WordVocabulary, _ optimizer: any Optimizer, attentionWeight: Float = 1,
    ownShare: Float = 0
  ) -> ObjectiveLearner<CaptionBatch> {
    ObjectiveLearner(self, optimizer) { [self] batch in
      let captions = batch.captions.map { captions in
        let place = captions.count == 1 ? 0 : RandomGenerator.current.integer(in: 0..<captions.count)
        return vocabulary.encode(captions[place])
      }
      let longest = captions.map(\.count).max() ?? 0
      let words = Tensor(
        captions.flatMap { caption in
          (caption + Array(repeating: vocabulary.padding, count: longest - caption.count)).map { Int64($0) }
        }, shape: [captions.count, longest])
      let (logits, alphas) = teach(
        encode(batch.inputs), captions: words, lengths: Tensor(captions.map { Int64($0.count) }),
        ownShare: ownShare)
      let targets = words.sliced(1, 1..<longest)
      var loss = softmaxCrossEntropy(
        logits.permuted([0, 2, 1]), labels: targets, ignoring: vocabulary.padding)
      if alphas.shape[2] > 1 { loss = loss + (1 - alphas.sum([1])).square().mean() * attentionWeight }
      let guesses = logits.detached.argMax().values(of: Int64.self)
      let counted = zip(guesses, targets.values(of: Int64.self)).filter { $0.1 != Int64(vocabulary.padding) }
      return ObjectiveValue(
        loss: loss, count: captions.count,
        metrics: ["word_accuracy": Float(counted.count { $0.0 == $0.1 }) / Float(max(counted.count, 1))])
    }
  }
}
