import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights

/// Says of each pixel of a picture which class it is of.
///
///     let result = try Zoo.load(Segmenter.self, "unet", weights: "unet.pth").segment(image)
///     try result.map.overlaid(on: image).write(to: "overlay.png")
public struct Segmenter: TaskModel {
  public static let task = ZooTask.segmentation

  /// One name per class, in the order of the network's outputs. A network of one output knows two classes: not the thing, and the thing.
  public let labels: [String]
  /// How a picture becomes the network's input.
  public let preprocessing: Preprocessing
  /// What height and width of the network's input are multiples of: pictures get zeros at the right and at the bottom, and the result is cut.
  public let sizeMultiple: Int
  private let pictures: PictureInput
  private let network: SharedNetwork

  /// - Throws: ``WrongTask`` when the network is for something else; ``AdaptationError`` when it takes no pictures, or for more classes than a
  ///   map of labels has; `WeightsError` or ``ConfigurationError`` when what is bound to the weights makes no sense.
  public init(_ loaded: sending LoadedNetwork, execution: Execution = .compiled()) throws {
    guard loaded.task == Self.task, let channels = loaded.network.classChannels else {
      throw WrongTask(model: loaded.name, task: loaded.task)
    }
    guard channels <= Self.mostClasses else {
      throw AdaptationError(
        model: loaded.name, given: "maps of \(channels) classes", expected: "\(Self.mostClasses) at most")
    }
    let (preprocessing, sizeMultiple) = try loaded.pixelInput()
    let labels = try loaded.labels(max(channels, 2), else: "class")
    self.init(
      SharedNetwork(loaded.network, execution: execution), labels, preprocessing, sizeMultiple: sizeMultiple)
  }

  /// A network of one's own that maps pictures N×C×H×W, its first input, to logits N×classes×H×W, its first output.
  ///
  /// - Parameters:
  ///   - labels: one name per class, two for a network of one output; "class 0" and so on where none are given, which needs a signature with a
  ///     fixed number of classes.
  ///   - preprocessing: how pictures become the network's input; it must not crop.
  ///   - sizeMultiple: what height and width of the input have to be multiples of.
  public init(
    _ network: sending any Network, labels: [String]? = nil, preprocessing: Preprocessing,
    sizeMultiple: Int = 1, execution: Execution = .compiled()
  ) {
    let classes = network.classChannels.map { max($0, 2) } ?? labels?.count
    guard let classes, labels?.count ?? classes == classes else {
      requirementFailure(
        "\(labels?.count ?? 0) labels were given for \(classes.map { "\($0)" } ?? "an unknown number of") classes"
      )
    }
    self.init(
      SharedNetwork(network, execution: execution), labels ?? (0..<classes).map { "class \($0)" },
      preprocessing, sizeMultiple: sizeMultiple)
  }

  /// As ``init(_:labels:preprocessing:sizeMultiple:execution:)``, for a layer that maps pictures N×C×H×W to logits N×classes×H×W.
  public init(
    _ layer: sending any Layer, labels: [String], preprocessing: Preprocessing, sizeMultiple: Int = 1,
    execution: Execution = .compiled()
  ) {
    self.init(
      SharedNetwork(layer: layer, input: "image", output: "logits", execution: execution), labels,
      preprocessing, sizeMultiple: sizeMultiple)
  }

  private init(
    _ network: SharedNetwork, _ labels: [String], _ preprocessing: Preprocessing, sizeMultiple: Int
  ) {
    require(2...Self.mostClasses ~= labels.count, "a network for pixels of \(labels.count) classes")
    require(
      sizeMultiple > 0 && preprocessing.crop == nil,
      "a network for pixels with sizes that are multiples of \(sizeMultiple), and a crop of \(preprocessing.crop ?? 0)"
    )
    self.network = network
    self.labels = labels
    self.preprocessing = preprocessing
    self.sizeMultiple = sizeMultiple
    pictures = PictureInput(preprocessing)
  }

  /// Classes that a ``LabelMap`` can have.
  private static let mostClasses = 256
  static let multipleSetting = "size_multiple"

  public func copy() -> Segmenter {
    Segmenter(network.copy(), labels, preprocessing, sizeMultiple: sizeMultiple)
  }

  /// The class of each pixel.
  ///
  /// Where the preprocessing changes the size of pictures, logits are interpolated back to the picture's own.
  /// - Parameter name: what messages call the picture.
  /// - Throws: ``UnsuitablePicture`` or `SignatureError` for a picture that becomes nothing the network takes, ``NoNumbers``.
  public func segment(_ image: Image, named name: String = "the picture") throws -> Segmentation {
    let input = try pictures.input(image, named: name)  // 1×C×h×w
    let (height, width) = (input.shape[2], input.shape[3])
    func missing(_ length: Int) -> Int { (sizeMultiple - length % sizeMultiple) % sizeMultiple }
    let padding = Padding(before: [0, 0], after: [missing(height), missing(width)])
    let inputs = NamedTensors([(network.inputs[0], input.padded(spatially: padding))])
    try check(inputs, named: name)
    let padded = network(inputs)[network.outputs[0]]  // 1×classes×h'×w'
    require(
      padded.rank == 4 && max(padded.shape[1], 2) == labels.count
        && Array(padded.shape[2...]) == [height + missing(height), width + missing(width)],
      "the network makes \(padded.shape.shapeText) of \(inputs.tensors[0].shape.shapeText), for \(labels.count) classes"
    )
    guard padded.values().allSatisfy(\.isFinite) else { throw NoNumbers(of: name) }
    var logits = padded.sliced(2, 0..<height).sliced(3, 0..<width)
    if (height, width) != (image.height, image.width) {
      logits = logits.interpolated(to: [image.height, image.width], .linear(alignsCorners: false))
    }
    return Segmentation(map: try LabelMap(logits: logits), labels: labels, logits: logits)
  }

  private func check(_ inputs: NamedTensors, named name: String) throws {
    do {
      try network.withNetwork { (module: any Module) in
        guard let sized = module as? any SizedNetwork else { return }
        try sized.signature.check(inputs)
        try sized.check(inputs)
      }
    } catch let error as SignatureError {
      throw SignatureError(name: "\(name): \(error.name)", given: error.given, expected: error.expected)
    }
  }
}

/// What a ``Segmenter`` found, in the picture's own size.
public struct Segmentation: Sendable {
  /// The likeliest class of each pixel.
  public let map: LabelMap
  /// One name per class.
  public let labels: [String]
  /// 1×C×H×W, C being the classes, or 1 for two of them.
  private let logits: Tensor

  init(map: LabelMap, labels: [String], logits: Tensor) {
    self.map = map
    self.labels = labels
    self.logits = logits
  }

  /// How likely each class is at each pixel, C×H×W: the softmax of the logits, or the sigmoid of a single one with what it leaves.
  public var probabilities: Tensor {
    let classes = logits.squeezed(0)
    guard classes.shape[0] == 1 else { return classes.softmax(0) }
    return concatenate([(-classes).sigmoid(), classes.sigmoid()], axis: 0)
  }

  /// How likely one class is at each pixel: a grey picture, 255 being certain.
  public func picture(ofClass index: Int) -> Image {
    require(labels.indices ~= index, "class \(index) of \(labels.count)")
    let height = map.height
    let values = probabilities.selected(0, index).values()
    return Image(
      width: map.width, height: height, model: .grey,
      pixels: values.map { UInt8((min(max($0, 0), 1) * 255).rounded(.toNearestOrEven)) })
  }

  /// The share of the picture's pixels that are of each class, in 0...1.
  public var shares: [Double] {
    map.counts.prefix(labels.count).map { Double($0) / Double(map.width * map.height) }
  }
}

extension LoadedNetwork {
  /// How pictures become the input of a network for pixels, and what its height and width are multiples of.
  ///
  /// - Throws: `WeightsError`, ``ConfigurationError`` or ``AdaptationError`` for numbers that make no sense.
  package func pixelInput() throws -> (preprocessing: Preprocessing, sizeMultiple: Int) {
    let preprocessing = try preprocessing()
    guard preprocessing.crop == nil else {
      throw WeightsError(
        .mismatched, "the preprocessing cuts pieces out of pictures, of which each pixel gets a class")
    }
    try requirePictures(preprocessing)
    var settings = ConfigurationEntries(metadata.taskSettings ?? [:])
    let sizeMultiple = try settings.integer(Segmenter.multipleSetting, 1...1024, missing: 1)
    try settings.finish()
    return (preprocessing, sizeMultiple)
  }
}
