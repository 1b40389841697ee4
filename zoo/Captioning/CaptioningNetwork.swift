import AviaryLayers
import AviaryTensors

/// A network that says what a picture shows, word by word.
public protocol CaptioningNetwork: Network {
  /// Words that it knows, those that only mark something among them.
  var wordCount: Int { get }
  /// What is kept of pictures N×3×H×W, once for each: N×h×w×D.
  func encode(_ image: Tensor) -> Tensor
  /// Where decoding begins, `<start>` not yet read.
  ///
  /// - Parameter features: N×h×w×D.
  /// - Returns: h and c of the recurrence, N×H each, and what attention needs of the features and no step changes, N×(h·w)×A.
  func begin(_ features: Tensor) -> (hidden: Tensor, cell: Tensor, keys: Tensor)
  /// One step of captions, as many of each picture.
  ///
  /// - Parameters:
  ///   - words: the last word of each caption, int64 K, those of one picture after those of another.
  ///   - hidden: K×H; `cell` alike.
  ///   - features: N×h×w×D, K being a multiple of N.
  ///   - keys: as from ``begin(_:)``.
  /// - Returns: logits K×V of the next word, where the network looked K×(h·w), and h and c for the next step.
  func step(
    _ words: Tensor, hidden: Tensor, cell: Tensor, features: Tensor, keys: Tensor
  ) -> (logits: Tensor, attention: Tensor, hidden: Tensor, cell: Tensor)
}

extension CaptioningNetwork {
  /// The logits of each next word, given the words before it as they should have been ("teacher forcing").
  ///
  /// - Parameters:
  ///   - features: N×h×w×D.
  ///   - captions: int64 N×T, from 2 words on.
  ///   - lengths: int64 N, from 1 to T.
  ///   - ownShare: how often, from 0 to 1, the network's own likeliest word takes the place of the right one before a step while gradients are
  ///     recorded (Bengio et al. 2015, arXiv:1506.03099, section 2.4).
  /// - Returns: N×(T−1)×V and N×(T−1)×(h·w); zeros in steps that a caption does not have.
  package func teach(
    _ features: Tensor, captions: Tensor, lengths: Tensor, ownShare: Float = 0
  ) -> (predictions: Tensor, alphas: Tensor) {
    var (hidden, cell, keys) = begin(features)
    var (predictions, alphas): ([Tensor], [Tensor]) = ([], [])
    var guesses: Tensor?
    for step in 0..<captions.shape[1] - 1 {
      var words = captions.selected(1, step)
      if ownShare > 0, let guesses {
        words = words.replaced(by: guesses, share: ownShare)
      }
      let (logits, alpha, h, c) = self.step(
        words, hidden: hidden, cell: cell, features: features, keys: keys)
      if logits.isTracked { guesses = logits.detached.argMax(1) }
      // A caption of L words has L − 1 steps.
      let isInside = (lengths .> Tensor(Int64(step + 1))).expandedAxis(at: 1)
      predictions.append(select(isInside, logits, Tensor(Float(0))))
      alphas.append(select(isInside, alpha, Tensor(Float(0))))
      (hidden, cell) = (h, c)
    }
    return (stack(predictions, axis: 1), stack(alphas, axis: 1))
  }
}

extension Tensor {
  /// Numbers of words, int64, of which some chosen by chance are another's.
  fileprivate func replaced(by other: Tensor, share: Float) -> Tensor {
    let (own, others) = (values(of: Int64.self), other.values(of: Int64.self))
    let chances = Tensor.uniform(shape).values()
    return Tensor(own.indices.map { chances[$0] < share ? others[$0] : own[$0] }, shape: shape)
  }
}
