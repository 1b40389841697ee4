import AviaryLayers
import AviaryTensors
import AviaryWeights

extension DCGANGenerator: GenerativeNetwork {
  func pictureMaker(
    _ metadata: PortableMetadata, named name: String
  ) throws -> @Sendable (SharedNetwork) -> any PictureMaker {
    let configuration = configuration
    guard [1, 3].contains(configuration.channels) else {
      throw UnsuitableGenerator(
        model: name, reason: "makes samples of \(configuration.channels) channels, but pictures have 1 or 3")
    }
    let size = configuration.imageSize
    return {
      GeneratedPictures(
        name: name, latentShape: [configuration.noise, 1, 1],
        pictureShape: [configuration.channels, size, size],
        classCount: configuration.classes > 0 ? configuration.classes : nil, network: $0)
    }
  }
}

extension DCGANDiscriminator: GenerativeNetwork {
  func pictureMaker(
    _ metadata: PortableMetadata, named name: String
  ) throws -> @Sendable (SharedNetwork) -> any PictureMaker {
    throw UnsuitableGenerator(model: name, reason: "judges pictures and makes none: dcgan_generator does")
  }
}

extension Generator {
  /// A generator of one's own. Throws ``UnsuitableGenerator`` when its samples are no pictures.
  public init(_ network: sending DCGANGenerator, execution: Execution = .compiled()) throws {
    let name = "the network"
    let pictureMaker = try network.pictureMaker(PortableMetadata(model: nil), named: name)
    self.init(named: name, pictureMaker(SharedNetwork(network, execution: execution)))
  }
}

/// Pictures of noise in one go. Samples are from −1 to 1.
struct GeneratedPictures: PictureMaker {
  let name: String
  let latentShape: Shape
  let pictureShape: Shape
  let classCount: Int?
  let network: SharedNetwork

  var range: ClosedRange<Float> { -1...1 }
  var sampling: Sampling? { nil }

  func copy() -> GeneratedPictures {
    GeneratedPictures(
      name: name, latentShape: latentShape, pictureShape: pictureShape, classCount: classCount,
      network: network.copy())
  }

  func stepCount(_ sampling: Sampling?, _ conditions: Conditions) throws -> Int {
    guard sampling == nil, conditions.known == nil else {
      throw UnsuitableGenerator(
        model: name, reason: "makes pictures of noise at once: there are no steps to choose")
    }
    guard conditions.guidance == nil else {
      throw UnsuitableGenerator(model: name, reason: "has no guidance: a class is asked for or not")
    }
    return 1
  }

  func samples(
    of latents: Tensor, _ sampling: Sampling?, _ conditions: BatchConditions,
    noise: (_ step: Int) -> Tensor, step: (_ samples: Tensor) throws -> Void
  ) throws -> Tensor {
    var inputs: NamedTensors = ["z": latents]
    if let classes = conditions.classes { inputs["labels"] = Tensor(classes.map(Int64.init)) }
    let samples = network(inputs)["out"]
    try samples.requireNumbers(of: "the noise")
    let pictures = samples.reshaped([latents.shape[0]] + pictureShape)
    try step(pictures)
    return pictures
  }
}
