import AviaryLayers
import AviaryTensors

/// AlexNet in the one-column form of Krizhevsky 2014, "One weird trick for parallelizing convolutional neural networks"
/// (arXiv:1404.5997), after Krizhevsky, Sutskever & Hinton 2012.
///
/// Input N×3×224×224. Names as torchvision's.
public final class AlexNet: StagedModel {
  /// The five convolutions with their ReLUs and 3×3 maxima: N×3×224×224 to N×256×6×6.
  package let features: Sequential
  /// Three linear layers behind the mean to 6×6, with dropout before the first two.
  package let classifier: Sequential

  /// A network with first values; `dropout` is the share of features dropped before the first two linear layers.
  public init(classes: Int = 1000, dropout: Float = 0.5) {
    func relu() -> Activate { Activate(.relu) }
    func pool() -> MaxPool2d { MaxPool2d(kernel: 3, stride: 2) }
    features = Sequential(
      Conv2d(3, 64, kernel: 11, stride: 4, padding: 2), relu(), pool(),
      Conv2d(64, 192, kernel: 5, padding: 2), relu(), pool(),
      Conv2d(192, 384, kernel: 3, padding: 1), relu(),
      Conv2d(384, 256, kernel: 3, padding: 1), relu(),
      Conv2d(256, 256, kernel: 3, padding: 1), relu(), pool())
    classifier = Sequential(
      Dropout(dropout), Linear(256 * 6 * 6, 4096), relu(),
      Dropout(dropout), Linear(4096, 4096), relu(),
      Linear(4096, classes))
  }

  /// A stage for each convolution with what follows it, then the classifier.
  public var stages: [Stage] {
    [
      Stage("block1", "features", features, 0..<3),
      Stage("block2", "features", features, 3..<6),
      Stage("block3", "features", features, 6..<8),
      Stage("block4", "features", features, 8..<10),
      Stage("block5", "features", features, 10..<13),
      Stage(
        "classifier",
        [("", AdaptiveAvgPool2d(6)), ("", Flatten()), ("classifier", classifier)]),
    ]
  }
}

extension AlexNet {
  static let entries = [
    ZooEntry("alexnet", smallestSide: 63, [Dialect("tv_v1", .torchvision) { AlexNet(classes: $0) }])
  ]
}
