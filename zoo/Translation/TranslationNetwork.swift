import AviaryLayers
import AviaryTensors

/// A network that makes one text of another, token by token.
public protocol TranslationNetwork: Network {
  /// How many tokens the texts have that it reads.
  var sourceCount: Int { get }
  /// How many tokens the texts have that it writes, the marks of beginning and end among them.
  var targetCount: Int { get }
  /// Whether it looks at places of the text that it read.
  var hasAttention: Bool { get }
  /// What is kept of texts.
  ///
  /// - Parameters:
  ///   - source: tokens, int64 N×S.
  ///   - lengths: how many of each text's tokens count, from 1 to S; all where nil.
  /// - Returns: a vector for each place, N×S×D, and the state that writing begins with, N×H.
  func encode(_ source: Tensor, lengths: [Int]?) -> (annotations: Tensor, state: Tensor)
  /// One step of translations, as many of each text.
  ///
  /// - Parameters:
  ///   - words: the last token of each, int64 K, those of one text after those of another.
  ///   - state: K×H.
  ///   - annotations: N×S×D, K being a multiple of N.
  ///   - padding: N×S, Boolean, true behind the end of a text; nil where there is nothing behind it.
  /// - Returns: logits K×V of the next token, where the network looked K×S (nil without attention), and the state for the next step.
  func step(
    _ words: Tensor, state: Tensor, annotations: Tensor, padding: Tensor?
  ) -> (logits: Tensor, attention: Tensor?, state: Tensor)
}

extension TranslationNetwork {
  /// The logits of each next token, given the tokens before it as they should have been ("teacher forcing").
  ///
  /// - Parameters:
  ///   - source: int64 N×S.
  ///   - lengths: how many of each text's tokens count; all where nil.
  ///   - target: int64 N×T, the mark of the beginning first.
  /// - Returns: N×T×V, and where the network looked, N×T×S; nil without attention.
  func teach(
    _ source: Tensor, lengths: [Int]? = nil, target: Tensor
  ) -> (logits: Tensor, attention: Tensor?) {
    var (annotations, state) = encode(source, lengths: lengths)
    let padding = lengths.map { lengths in
      Tensor(
        lengths.flatMap { length in (0..<source.shape[1]).map { $0 >= length } }, shape: source.shape)
    }
    var (logits, looks): ([Tensor], [Tensor]) = ([], [])
    for place in 0..<target.shape[1] {
      let step = self.step(
        target.selected(1, place), state: state, annotations: annotations, padding: padding)
      logits.append(step.logits)
      if let attention = step.attention { looks.append(attention) }
      state = step.state
    }
    return (stack(logits, axis: 1), looks.isEmpty ? nil : stack(looks, axis: 1))
  }
}
