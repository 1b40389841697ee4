import AviaryLayers

/// A network for pixels whose paper says what it learns from: another loss than the mean cross-entropy, or from more than one of its outputs.
public protocol SupervisedSegmenter: Network {
  /// What it learns from where nobody says otherwise.
  var pixelLoss: PixelLoss { get }
  /// What the losses of other outputs than the first count while it learns, by the outputs' names.
  var supervisedOutputs: [String: Float] { get }
}

extension SupervisedSegmenter {
  /// The first output alone.
  public var supervisedOutputs: [String: Float] { [:] }
}

extension PixelLoss {
  /// What a network learns from where nobody says otherwise: its paper's, or cross-entropy.
  public init(for network: any Network) {
    self = (network as? any SupervisedSegmenter)?.pixelLoss ?? PixelLoss()
  }

  /// What the losses of a network's other outputs count beside that of the first. An output called `aux` counts as in torchvision's
  /// reference where the network says nothing.
  static func supervisedOutputs(of network: any Network) -> [String: Float] {
    (network as? any SupervisedSegmenter)?.supervisedOutputs ?? ["aux": 0.5]
  }
}
