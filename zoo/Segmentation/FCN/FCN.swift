import AviaryLayers
import AviaryTensors

/// Networks for pixels on a dilated residual network: FCN (Long, Shelhamer & Darrell 2015, "Fully Convolutional Networks for Semantic
/// Segmentation", arXiv:1411.4038) and DeepLab v3 (Chen, Papandreou, Schroff & Adam 2017, "Rethinking Atrous Convolution for Semantic Image
/// Segmentation", arXiv:1706.05587, figure 5), as torchvision has them.
///
/// `image` N×3×H×W to `out` N×classes×H×W, and from the auxiliary head on layer3 to `aux`. Names as torchvision's.
public final class FCN: Network {
  /// ResNet-50 whose last two groups keep the resolution: to N×2048×H/8×W/8.
  package let backbone: ResNet
  /// From that to classes.
  package let classifier: Sequential
  /// From layer3's N×1024×H/8×W/8 to classes, which helps the gradient to reach the first layers; nil where it was taken out.
  package let auxClassifier: Sequential?
  let configuration: Configuration

  /// The sizes of a network.
  public struct Configuration: Sendable, Hashable {
    /// What stands on the residual network.
    public enum Head: String, Sendable, Hashable, CaseIterable {
      /// A 3×3 convolution.
      case fcn
      /// Convolutions of four reaches, and the mean of the picture.
      case deeplabv3
    }

    /// What stands on the residual network.
    public var head: Head
    /// Classes that a pixel may be of, the background among them.
    public var classes = 21
    /// Whether there is a head on layer3.
    public var hasAuxiliary = true

    /// FCN.
    public static let fcn = Configuration(head: .fcn)
    /// DeepLab v3.
    public static let deepLab = Configuration(head: .deeplabv3)
  }

  /// A network with first values, ready to be trained.
  public init(_ configuration: Configuration) {
    self.configuration = configuration
    var body = ResNet.Configuration.resnet50
    body.isDilated = true
    backbone = ResNet(body, classes: nil)
    let (channels, middle) = (2048, 1024)
    classifier =
      switch configuration.head {
      case .fcn: Self.head(channels, classes: configuration.classes)
      case .deeplabv3:
        Sequential(
          AtrousPyramid(channels), Conv2d(256, 256, kernel: 3, padding: 1, bias: false), BatchNorm(256),
          Activate(.relu), Conv2d(256, configuration.classes, kernel: 1))
      }
    auxClassifier =
      configuration.hasAuxiliary ? Self.head(middle, classes: configuration.classes) : nil
  }

  /// A quarter of the channels by a 3×3 convolution, and classes.
  private static func head(_ channels: Int, classes: Int) -> Sequential {
    let inner = channels / 4
    return Sequential(
      Conv2d(channels, inner, kernel: 3, padding: 1, bias: false), BatchNorm(inner), Activate(.relu),
      Dropout(0.1), Conv2d(inner, classes, kernel: 1))
  }

  public var signature: Signature {
    let axes: [TensorPort.Axis] = ["N", .fixed(configuration.classes), "H", "W"]
    let names = configuration.hasAuxiliary ? ["out", "aux"] : ["out"]
    return Signature(
      inputs: [TensorPort("image", ["N", 3, "H", "W"])], outputs: names.map { TensorPort($0, axes) })
  }

  public func callAsFunction(_ inputs: NamedTensors) -> NamedTensors {
    let image = inputs["image"]
    let maps = backbone.maps(image)
    func enlarged(_ logits: Tensor) -> Tensor {
      logits.interpolated(to: Array(image.shape[2...]), .linear(alignsCorners: false))
    }
    var result: NamedTensors = ["out": enlarged(classifier(maps[3]))]
    if let auxClassifier { result["aux"] = enlarged(auxClassifier(maps[2])) }
    return result
  }
}

/// Atrous spatial pyramid pooling (section 3.3): what is here, what is 12, 24 and 36 places away, and the mean of all places.
package final class AtrousPyramid: Layer {
  /// The five of them.
  package let convs: [Sequential]
  /// From all of their channels to 256.
  package let project: Sequential

  private static let channels = 256
  private static let rates = [12, 24, 36]

  init(_ inputs: Int) {
    func unit(_ convolution: Conv2d) -> [any Layer] {
      [convolution, BatchNorm(Self.channels), Activate(.relu)]
    }
    let point = { (inputs: Int) in Conv2d(inputs, Self.channels, kernel: 1, bias: false) }
    let reaching = Self.rates.map { rate in
      Sequential(
        unit(
          Conv2d(
            inputs, Self.channels, kernel: 3, padding: .symmetric(Extents(rate)), dilation: Extents(rate),
            bias: false)))
    }
    let mean: [any Layer] = [AdaptiveAvgPool2d(1)]
    convs = [Sequential(unit(point(inputs)))] + reaching + [Sequential(mean + unit(point(inputs)))]
    project = Sequential(unit(point(5 * Self.channels)) + [Dropout(0.5)])
  }

  /// N×C×h×w to N×256×h×w.
  package func callAsFunction(_ input: Tensor) -> Tensor {
    let size = Array(input.shape[2...])
    let parts = convs.map { conv -> Tensor in
      let result = conv(input)
      return Array(result.shape[2...]) == size
        ? result : result.interpolated(to: size, .linear(alignsCorners: false))
    }
    return project(concatenate(parts, axis: 1))
  }
}
