import AviaryLayers
import AviaryTensors
import AviaryVision

/// SSD (Liu, Anguelov, Erhan, Szegedy, Reed, Fu & Berg 2016, "SSD: Single Shot MultiBox Detector", arXiv:1512.02325, figure 2): at each place
/// of six maps, for each of its default boxes, what it is and where exactly.
///
/// Pictures are 0…1 at their own size, stretched to 300×300: that and their normalization belong to the network. Names as torchvision's. As
/// a graph it has room for the most objects that there can be; ``trimmed(_:for:)`` takes off what is empty.
public final class SSD: Network {
  /// VGG-16 and what follows it: to six maps, of 38×38 to 1×1.
  package let backbone: SSDBody
  /// A convolution per map for each question.
  package let head: Head
  let configuration: Configuration

  /// The convolutions for labels and for boxes.
  package final class Head: Module {
    /// To logits, the background first.
    package let classificationHead: MapHead
    /// To differences from default boxes.
    package let regressionHead: MapHead

    init(labels: Int) {
      classificationHead = MapHead(each: labels)
      regressionHead = MapHead(each: 4)
    }
  }

  /// The sizes of a network, and what is decided without weights.
  public struct Configuration: Sendable, Hashable {
    /// Numbers that a label may have: the background, and COCO's, of which some are not used.
    public var labels = 91
    /// The score that a detection exceeds.
    public var score = 0.01
    /// Candidates of each label.
    public var candidates = 400
    /// Detections of one label that overlap more are one.
    public var overlap = 0.45
    /// Detections of a picture.
    public var detections = 200

    /// Pictures of 300×300.
    public static let vgg16 = Configuration()
  }

  /// 0…255 less ImageNet's mean, as the first weights of VGG-16 take it.
  static let scaling = PictureScaling(
    rule: .exact(side), mean: [0.48235, 0.45882, 0.40784], deviation: [1 / 255.0, 1 / 255.0, 1 / 255.0])
  static let side = 300

  /// A network with first values, ready to be trained.
  public init(_ configuration: Configuration) {
    self.configuration = configuration
    backbone = SSDBody()
    head = Head(labels: configuration.labels)
  }

  /// `image` to `boxes`, `scores` and `labels` of at most D objects, 0 where there are fewer.
  public var signature: Signature {
    TorchvisionPictures.signature(most: configuration.detections, labels: configuration.labels)
  }

  public func callAsFunction(_ inputs: NamedTensors) -> NamedTensors {
    let picture = Self.scaling(inputs["image"])
    let (logits, deltas) = answers(picture)
    let choice = DefaultBoxChoice(
      score: Float(configuration.score), best: configuration.candidates,
      suppression: configuration.overlap, count: configuration.detections)
    let found = choice.apply([logits.softmax(), deltas])
    return ["boxes": picture.unscaled(found[0]), "scores": found[1], "labels": found[2]]
  }

  /// Logits N×8732×labels and differences N×8732×4, map by map, place by place.
  func answers(_ picture: ScaledPicture) -> (logits: Tensor, deltas: Tensor) {
    let maps = backbone(picture.tensor)
    return (head.classificationHead(maps), head.regressionHead(maps))
  }
}

/// A 3×3 convolution for each map.
package final class MapHead: Module {
  /// In the order of the maps.
  package let moduleList: [Conv2d]
  private let each: Int

  /// - Parameter each: numbers for a default box.
  init(each: Int) {
    self.each = each
    moduleList = zip(SSDBody.channels, DefaultBoxes.countsPerPlace).map {
      Conv2d($0, $1 * each, kernel: 3, padding: 1, initializer: .xavierUniform())
    }
  }

  /// Maps to N×8732×`each`.
  func callAsFunction(_ maps: [Tensor]) -> Tensor {
    let parts = zip(moduleList, maps).map { conv, map in conv(map).placeByPlace(each: each) }
    return concatenate(parts, axis: 1)
  }
}

/// VGG-16 without its classifier, whose two linear maps became convolutions, and four groups that halve the resolution further (section 2.1
/// and 3).
package final class SSDBody: Module {
  /// What the first map is scaled by after its channels are normalised: 512.
  package let scaleWeight: Parameter
  /// Up to conv4_3.
  package let features: Sequential
  /// The fifth group with what was linear in VGG-16, and the groups behind it.
  package let extra: [Sequential]

  /// Of the six maps.
  static let channels = [512, 1024, 512, 256, 256, 256]

  init() {
    scaleWeight = Parameter([512], .constant(20))
    func group(_ inputs: Int, _ outputs: Int, _ count: Int) -> [any Layer] {
      (0..<count).flatMap { index -> [any Layer] in
        [
          Conv2d(
            index == 0 ? inputs : outputs, outputs, kernel: 3, padding: 1,
            initializer: .kaimingNormal(fan: .output)), Activate(.relu),
        ]
      }
    }
    let pool: [any Layer] = [MaxPool2d(kernel: 2, stride: 2)]
    // 75×75 to 38×38.
    let ceiling: [any Layer] = [MaxPool2d(kernel: 2, stride: 2, usesCeiling: true)]
    let groups: [[any Layer]] = [
      group(3, 64, 2), pool, group(64, 128, 2), pool, group(128, 256, 3), ceiling, group(256, 512, 3),
    ]
    features = Sequential(groups.flatMap(\.self))
    let linear = Sequential(
      MaxPool2d(kernel: 3, stride: 1, padding: 1),
      Conv2d(512, 1024, kernel: 3, padding: 6, dilation: 6, initializer: .xavierUniform()),
      Activate(.relu), Conv2d(1024, 1024, kernel: 1, initializer: .xavierUniform()), Activate(.relu))
    func further(_ inputs: Int, _ middle: Int, _ outputs: Int, halves: Bool) -> Sequential {
      Sequential(
        Conv2d(inputs, middle, kernel: 1, initializer: .xavierUniform()), Activate(.relu),
        Conv2d(
          middle, outputs, kernel: 3, stride: halves ? 2 : 1, padding: halves ? 1 : 0,
          initializer: .xavierUniform()), Activate(.relu))
    }
    let fifth: [[any Layer]] = [pool, group(512, 512, 3), [linear]]
    extra = [
      Sequential(fifth.flatMap(\.self)), further(1024, 256, 512, halves: true),
      further(512, 128, 256, halves: true), further(256, 128, 256, halves: false),
      further(256, 128, 256, halves: false),
    ]
  }

  /// Pictures N×3×300×300 to six maps.
  func callAsFunction(_ image: Tensor) -> [Tensor] {
    var value = features(image)
    // ParseNet's normalization (section 3.1).
    let length = maximum(value.square().sum([1], keepsAxes: true).squareRoot(), Tensor(Float(1e-12)))
    let first = scaleWeight.value.reshaped([512, 1, 1]) * (value / length)
    return [first]
      + extra.map { block in
        value = block(value)
        return value
      }
  }
}
