import AviaryLayers
import AviaryTensors

/// Xception (Chollet 2017, "Xception: Deep Learning with Depthwise Separable Convolutions", arXiv:1610.02357, figure 5).
///
/// Two convolutions, then twelve modules of separable convolutions with a shortcut around each, then two more separable convolutions.
/// Input N×3×299×299 in −1…1. Names as Keras' layers'.
public final class Xception: StagedModel {
  /// block1 to block14 of Keras' names: N×3×H×W to N×2048×H/32×W/32.
  package let features: Sequential
  /// From the mean over all places to logits.
  package let predictions: Linear

  /// Channels of the separable convolutions in each module between the plain convolutions and the exit.
  private static let entry = [[128, 128], [256, 256], [728, 728]]
  private static let middle = [[Int]](repeating: [728, 728, 728], count: 8)
  private static let exit = [728, 1024]

  static let batchNorm = BatchNormStyle.keras()

  /// A network with first values, ready to be trained.
  public init(classes: Int = 1000) {
    func stem(_ number: Int, _ inputs: Int, _ outputs: Int, stride: Int) -> [(name: String, layer: any Layer)]
    {
      let name = "block1_conv\(number)"
      return [
        (name, Conv2d(inputs, outputs, kernel: 3, stride: Extents(stride), bias: false)),
        (name + "_bn", Self.batchNorm(outputs)), (name + "_act", Activate(.relu)),
      ]
    }
    var layers = stem(1, 3, 32, stride: 2) + stem(2, 32, 64, stride: 1)
    var channels = 64
    for (index, widths) in (Self.entry + Self.middle + [Self.exit]).enumerated() {
      let module = XceptionModule(
        channels, widths, isStrided: index < 3 || index == 11, startsActivated: index > 0)
      layers.append(("block\(index + 2)", module))
      channels = widths.last!
    }
    for (number, width) in [1536, 2048].enumerated() {
      let name = "block14_sepconv\(number + 1)"
      layers += [
        (name, SeparableConv2d(channels, width)), (name + "_bn", Self.batchNorm(width)),
        (name + "_act", Activate(.relu)),
      ]
      channels = width
    }
    features = Sequential(named: layers)
    predictions = Linear(channels, classes)
  }

  /// A stage for each of the fourteen blocks, then the classifier.
  public var stages: [Stage] {
    let (stem, exit) = (6, features.count - 6)
    return [Stage("block1", "features", features, 0..<stem)]
      + (stem..<exit).map { Stage(features.names[$0], "features", features, $0..<($0 + 1)) }
      + [
        Stage("block14", "features", features, exit..<features.count),
        Stage("classifier", [("", GlobalAvgPool()), ("predictions", predictions)]),
      ]
  }
}

/// A 3×3 convolution of each channel, then a 1×1 convolution across channels, with nothing between them (section 2).
package final class SeparableConv2d: Layer {
  /// 3×3 within each channel.
  package let depthwise: Conv2d
  /// 1×1 across the channels.
  package let pointwise: Conv2d

  init(_ inputs: Int, _ outputs: Int) {
    depthwise = Conv2d(inputs, inputs, kernel: 3, padding: 1, groups: inputs, bias: false)
    pointwise = Conv2d(inputs, outputs, kernel: 1, bias: false)
  }

  /// N×C×H×W to N×O×H×W.
  package func callAsFunction(_ input: Tensor) -> Tensor { pointwise(depthwise(input)) }
}

/// ReLU, separable convolution and batch normalization two or three times, and a shortcut around them: a 1×1 convolution where the module
/// ends in a maximum that halves the resolution, else the input itself.
package final class XceptionModule: Layer, Container {
  private let body: [(name: String, layer: any Layer)]
  private let shortcut: Sequential?

  init(_ inputs: Int, _ widths: [Int], isStrided: Bool, startsActivated: Bool) {
    var layers: [(name: String, layer: any Layer)] = []
    var channels = inputs
    for (index, width) in widths.enumerated() {
      let name = "sepconv\(index + 1)"
      if index > 0 || startsActivated { layers.append((name + "_act", Activate(.relu))) }
      layers += [
        (name, SeparableConv2d(channels, width)), (name + "_bn", Xception.batchNorm(width)),
      ]
      channels = width
    }
    if isStrided { layers.append(("pool", MaxPool2d(kernel: 3, stride: 2, padding: .same))) }
    body = layers
    shortcut =
      isStrided
      ? Sequential(
        Conv2d(inputs, channels, kernel: 1, stride: 2, bias: false), Xception.batchNorm(channels)) : nil
  }

  /// The main path's layers by their names, and `shortcut` where it is a convolution.
  package var namedChildren: [(name: String, module: any Module)] {
    body.map { ($0.name, $0.layer) } + (shortcut.map { [("shortcut", $0)] } ?? [])
  }

  /// N×C×H×W to N×O×H×W, or half of H and W, rounded up.
  package func callAsFunction(_ input: Tensor) -> Tensor {
    callInSequence(body.map(\.layer), on: input) + (shortcut?(input) ?? input)
  }
}

extension Xception {
  static let entries = [
    ZooEntry(
      "xception", smallestSide: 71,
      [
        Dialect(
          "keras", nameMaps: ["keras_xception", "keras1_xception"],
          .tf.sized(resize: .shortSide(342), crop: 299).rounded(.nearest)
        ) { Xception(classes: $0) }
      ])
  ]
}
