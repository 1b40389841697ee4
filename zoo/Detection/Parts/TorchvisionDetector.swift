import AviaryLayers

/// A detector of torchvision's: it takes pictures as they are and gives `boxes`, `scores` and `labels`, of which 0 is the background's or
/// nobody's.
///
/// Beside its network and the entries of its configuration (``ConfigurationField``) it needs to bring ``DetectionNetwork/labelCount`` and
/// ``DetectionNetwork/processor(_:_:)``, a line each.
public protocol TorchvisionDetector: CountedNetwork, DetectionNetwork {}

extension TorchvisionDetector {
  public func trimmed(_ outputs: NamedTensors, for inputs: NamedTensors) -> NamedTensors {
    TorchvisionPictures.trimmed(outputs, image: inputs["image"].shape)
  }
}
