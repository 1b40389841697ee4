import AviaryLayers

/// A detector of torchvision's: it takes pictures as they are and gives `boxes`, `scores` and `labels`, of which 0 is the background's or
/// nobody's.
///
/// Beside its network and the entries of its configuration (``ConfigurationField``) it needs to bring ``DetectionNetwork/labelCount`` and
/// ``DetectionNetwork/processor(_:_:)``, a line each; and its losses, to be a ``TrainableDetector``.
public protocol TorchvisionDetector: CountedNetwork, DetectionNetwork {}

extension TorchvisionDetector {
  /// Data's first class follows what is nobody's.
  public var firstLabel: Int { 1 }

  public func trimmed(_ outputs: NamedTensors, for inputs: NamedTensors) -> NamedTensors {
    TorchvisionPictures.trimmed(outputs, image: inputs["image"].shape)
  }
}
