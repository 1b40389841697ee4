import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights

/// Tiny Darknet (Redmon 2016, `cfg/tiny.cfg` of darknet; the blocks are those of "YOLO9000", Redmon & Farhadi 2017, arXiv:1612.08242,
/// section 3): as good as AlexNet with a sixtieth of its numbers.
///
/// 3×3 convolutions with narrow 1×1 ones between them, maxima, and the mean of one map per class. Input N×3×224×224 in 0…1.
public final class TinyDarknet: StagedModel {
  /// Fifteen convolutions and four maxima: to N×128×14×14.
  package let features: Sequential
  /// A 1×1 convolution to one map per class, and the mean of each.
  package let classifier: Sequential

  /// Filters and sizes of the convolutions, a row up to each maximum.
  private static let blocks: [[(filters: Int, kernel: Int)]] = [
    [(16, 3)], [(32, 3)], [(16, 1), (128, 3), (16, 1), (128, 3)], [(32, 1), (256, 3), (32, 1), (256, 3)],
    [(64, 1), (512, 3), (64, 1), (512, 3), (128, 1)],
  ]

  /// A network with first values, ready to be trained.
  ///
  /// - Parameter epsilon: of the batch normalization, which darknet and Keras have others of.
  public init(classes: Int = 1000, epsilon: Float = 1e-5) {
    var layers: [any Layer] = []
    var channels = 3
    for (number, block) in Self.blocks.enumerated() {
      if number > 0 { layers.append(MaxPool2d(kernel: 2, stride: 2)) }
      for (filters, kernel) in block {
        layers.append(DarknetUnit(channels, filters, kernel: kernel, epsilon: epsilon))
        channels = filters
      }
    }
    features = Sequential(layers)
    classifier = Sequential(Conv2d(channels, classes, kernel: 1), AdaptiveAvgPool2d(1), Flatten())
  }

  /// Up to each maximum and behind the last one, then the classifier.
  public var stages: [Stage] {
    var (stages, start): ([Stage], Int) = ([], 0)
    for (number, block) in Self.blocks.enumerated() {
      let end = start + block.count + (number > 0 ? 1 : 0)
      stages.append(Stage("block\(number + 1)", "features", features, start..<end))
      start = end
    }
    return stages + [Stage("classifier", [("classifier", classifier)])]
  }
}

/// A convolution, batch normalization, and a ReLU that lets a tenth of what is negative through.
package final class DarknetUnit: Layer {
  package let conv: Conv2d
  package let bn: BatchNorm

  init(_ inputs: Int, _ outputs: Int, kernel: Int, epsilon: Float) {
    conv = Conv2d(
      inputs, outputs, kernel: Extents(kernel), padding: .symmetric(Extents(kernel / 2)), bias: false,
      initializer: .kaimingUniform())
    bn = BatchNorm(outputs, epsilon: epsilon)
  }

  package func callAsFunction(_ input: Tensor) -> Tensor {
    Activation.leakyReLU(slope: 0.1)(bn(conv(input)))
  }
}

extension TinyDarknet: StreamedNetwork {
  var stream: [(name: String, piece: DarknetPiece)] {
    let entries = stateEntries
    func piece(_ name: String) -> (name: String, piece: DarknetPiece) {
      let shape = entries.first { $0.name == name }!.shape
      return (name, DarknetPiece(name: name, shape: shape))
    }
    return entries.filter { $0.shape.count == 4 }.map { String($0.name.dropLast("conv.weight".count)) }
      .dropLast().flatMap { unit in
        ["bn.bias", "bn.weight", "bn.running_mean", "bn.running_var", "conv.weight"].map { piece(unit + $0) }
      } + ["classifier.0.bias", "classifier.0.weight"].map(piece)
  }
}

extension TinyDarknet {
  static let entries = [
    ZooEntry(
      "tiny_darknet", smallestSide: 16,
      [
        Dialect("darknet", preprocessing, labels: .imagenetDarknet) { TinyDarknet(classes: $0) },
        Dialect("keras", nameMaps: ["keras_tiny_darknet"], kerasPreprocessing, labels: .imagenetDarknet) {
          TinyDarknet(classes: $0, epsilon: 1e-3)
        },
      ])
  ]

  /// What darknet's classifiers are shown: the middle of a picture with values from 0 to 1.
  private static let preprocessing = Preprocessing(resize: .shortSide(224), crop: 224)
  /// How the weights in Keras were measured.
  private static let kerasPreprocessing = Preprocessing(resize: .shortSide(256), crop: 224).rounded(.nearest)
}
