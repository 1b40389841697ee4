import AviaryLayers
import AviaryTensors
import AviaryVision

/// MobileNet (Howard et al. 2017, "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications", arXiv:1704.04861,
/// table 1).
///
/// Thirteen pairs of a depthwise 3×3 and a pointwise 1×1 convolution, thinned by a width multiplier. Input N×3×224×224.
/// Layers are named as Keras names them; its networks pad a stride-2 convolution at the end only.
public final class MobileNet: StagedModel {
  /// The first convolution and the thirteen pairs, each with normalization and activation: to N×C×H/32×W/32.
  package let features: Sequential
  /// The classifier of Keras' form, a 1×1 convolution.
  package let convPreds: Conv2d?
  /// The classifier of MLPerf Tiny's form.
  package let fc: Linear?
  private let dropout: Dropout

  /// What differs between the networks that go by this name.
  public enum Form: Sendable, Hashable {
    /// Keras Applications'.
    case keras
    /// The reference network of a benchmark (Banbury et al. 2021, "MLPerf Tiny Benchmark", arXiv:2106.07597): convolutions have biases, and
    /// activations no upper limit.
    case mlperfTiny
  }

  /// Channels after each pair, before thinning.
  private static let channels = [64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024]
  /// The pairs (counted from 1) that halve the resolution.
  private static let strided: Set<Int> = [2, 4, 6, 12]

  /// A network with first values; `multiplier` is the paper's α, the share of all channels that is kept (section 3.3).
  public init(
    _ form: Form = .keras, width multiplier: Double = 1, classes: Int = 1000, dropout: Float = 1e-3
  ) {
    let batchNorm = BatchNormStyle.keras()
    let hasBias = form == .mlperfTiny
    let activation: Activation = form == .mlperfTiny ? .relu : .relu6
    func thin(_ channels: Int) -> Int { Int(Double(channels) * multiplier) }
    var inputs = thin(32)
    var layers: [(name: String, layer: any Layer)] = [
      ("conv1", Conv2d(3, inputs, kernel: 3, stride: 2, padding: .same, bias: hasBias)),
      ("conv1_bn", batchNorm(inputs)), ("conv1_relu", Activate(activation)),
    ]
    for (index, outputs) in Self.channels.map(thin).enumerated() {
      let pair = index + 1
      let isStrided = Self.strided.contains(pair)
      layers += [
        (
          "conv_dw_\(pair)",
          Conv2d(
            inputs, inputs, kernel: 3, stride: isStrided ? 2 : 1,
            padding: isStrided ? .explicit(before: 0, after: 1) : 1,
            groups: inputs, bias: hasBias)
        ),
        ("conv_dw_\(pair)_bn", batchNorm(inputs)), ("conv_dw_\(pair)_relu", Activate(activation)),
        ("conv_pw_\(pair)", Conv2d(inputs, outputs, kernel: 1, bias: hasBias)),
        ("conv_pw_\(pair)_bn", batchNorm(outputs)), ("conv_pw_\(pair)_relu", Activate(activation)),
      ]
      inputs = outputs
    }
    features = Sequential(named: layers)
    convPreds = form == .keras ? Conv2d(inputs, classes, kernel: 1) : nil
    fc = form == .mlperfTiny ? Linear(inputs, classes) : nil
    self.dropout = Dropout(dropout)
  }

  /// The first convolution and the pairs up to each halving of the resolution are one stage.
  public var stages: [Stage] {
    let ends = [1, 3, 5, 11, 13].map { 3 + 6 * $0 }
    let classifier: [(name: String, layer: any Layer)] =
      if let convPreds {
        [("", AdaptiveAvgPool2d(1)), ("", dropout), ("conv_preds", convPreds), ("", Flatten())]
      } else {
        [("", GlobalAvgPool()), ("fc", fc!)]
      }
    return zip([0] + ends, ends).enumerated().map { index, range in
      Stage("block\(index + 1)", "features", features, range.0..<range.1)
    } + [Stage("classifier", classifier)]
  }
}

extension MobileNet {
  /// The width multipliers of table 6, and a network that tells whether a picture has a person in it.
  static let entries: [ZooEntry] =
    [1, 0.75, 0.5, 0.25].map { width in
      ZooEntry(
        "mobilenet_v1_\(width)", smallestSide: 32,
        [
          Dialect("keras", nameMaps: ["keras_mobilenet"], .tf.rounded(.nearest)) {
            MobileNet(width: width, classes: $0)
          }
        ])
    } + [
      ZooEntry(
        "mobilenet_v1_0.25_vww", smallestSide: 32,
        [
          Dialect(
            "mlperf_tiny", nameMaps: ["keras_mobilenet_mlperf_tiny"],
            Preprocessing(resize: .exact(width: 96, height: 96)), labels: .visualWakeWords
          ) {
            MobileNet(.mlperfTiny, width: 0.25, classes: $0)
          }
        ])
    ]
}
