import AviaryLayers
import AviaryTensors

/// A network that says what a picture shows, word by word.
protocol CaptioningNetwork: Network {
  /// Words that it knows, those that only mark something among them.
  var wordCount: Int { get }
  /// What is kept of pictures N×3×H×W, once for each: N×h×w×D.
  func encode(_ image: Tensor) -> Tensor
  /// Where decoding of one picture begins.
  ///
  /// - Parameter features: 1×h×w×D.
  /// - Returns: h and c of the recurrence, 1×H each, and what attention needs of the features and no step changes, 1×(h·w)×A.
  func begin(_ features: Tensor) -> (hidden: Tensor, cell: Tensor, keys: Tensor)
  /// One step of several captions of one picture.
  ///
  /// - Parameters:
  ///   - words: the last word of each caption, int64 K.
  ///   - hidden: K×H; `cell` alike.
  ///   - features: 1×h×w×D.
  ///   - keys: as from ``begin(_:)``.
  /// - Returns: logits K×V of the next word, where the network looked K×(h·w), and h and c for the next step.
  func step(
    _ words: Tensor, hidden: Tensor, cell: Tensor, features: Tensor, keys: Tensor
  ) -> (logits: Tensor, attention: Tensor, hidden: Tensor, cell: Tensor)
}
