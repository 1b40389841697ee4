import AviaryTensors
import AviaryVision
import AviaryWeights

/// The pictures of a style transfer, at any of its sizes.
struct StyleInputs {
  private let content: Image
  private let styles: [Stylizer.Style]
  private let masks: [Image]
  private let styleMasks: [Image?]
  /// Longer sides, from the smallest.
  let sizes: [Int]

  init(
    content: Image, styles: [Stylizer.Style], masks: [Image], styleMasks: [Image?],
    _ options: StyleTransferOptions
  ) {
    self.content = content.converted(to: .rgb).fitted(to: options.size)
    self.styles = styles.map {
      Stylizer.Style($0.image.converted(to: .rgb), weight: $0.weight, named: $0.name)
    }
    self.masks = masks
    self.styleMasks = styleMasks
    let largest = max(self.content.width, self.content.height)
    // Below this there are no forms left.
    let smallest = 64
    sizes = (0..<options.sizes).map { largest >> $0 }.filter { $0 >= smallest || $0 == largest }.reversed()
  }

  /// The content at one of the sizes.
  func content(at level: Int) -> Image { content.fitted(to: sizes[level]) }

  /// What the picture is to become at one of the sizes.
  func targets(at level: Int, _ objective: GatysObjective, _ options: StyleTransferOptions) -> StyleTargets {
    let values = objective.scale.values(of: content(at: level))
    let (height, width) = (values.shape[2], values.shape[3])
    let side = max(Int((Float(sizes[level]) * options.styleScale).rounded()), 1)
    let sum = styles.reduce(0) { $0 + $1.weight }
    let prepared = styles.enumerated().map { index, style in
      let image = style.image.fitted(to: side)
      let mask = styleMasks.isEmpty ? nil : styleMasks[index]
      return (
        values: objective.scale.values(of: image), share: style.weight / sum,
        mask: mask.map { Self.mask($0, width: image.width, height: image.height) }
      )
    }
    return objective.targets(
      content: values, styles: prepared,
      masks: masks.map { Self.mask($0, width: width, height: height) },
      contentWeight: options.contentWeight, styleWeight: options.styleWeight)
  }

  /// What is changed at first.
  func start(like content: Tensor, _ scale: PictureScale, _ options: StyleTransferOptions) -> Tensor {
    switch options.start {
    case .content: return content
    case .noise:
      let noise = Tensor.normal(
        content.shape, standardDeviation: 20, using: RandomGenerator(seed: options.seed))
      return noise + 127.5
    case .style:
      let (height, width) = (content.shape[2], content.shape[3])
      return scale.values(of: styles[0].image.resized(width: width, height: height, .bicubic))
    }
  }

  /// A grey picture as numbers from 0 to 1, 1×1×H×W.
  private static func mask(_ image: Image, width: Int, height: Int) -> Tensor {
    Preprocessing(channels: .grey)(image.converted(to: .grey).resized(width: width, height: height))
  }

  /// SHA-256 of everything that goes in.
  var digest: String {
    var bytes: [UInt8] = []
    for image in [content] + styles.map(\.image) + masks + styleMasks.compactMap(\.self) {
      bytes += Array("\(image.width)×\(image.height) \(image.model.rawValue) ".utf8) + image.pixels
    }
    bytes += Array(styles.map { "\($0.weight)" }.joined(separator: " ").utf8)
    return bytes.withUnsafeBytes { Digest.hex(of: $0) }
  }
}
