import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights

extension VAE: GenerativeNetwork {}
extension ConvolutionalVAE: GenerativeNetwork {}

extension GenerativeNetwork where Self: LatentAutoencoder {
  /// The decoder alone makes pictures, of codes from the prior; the encoder takes them.
  func pictureMaker(
    _ metadata: PortableMetadata, named name: String
  ) throws -> @Sendable (SharedNetwork) -> any PictureMaker {
    guard let portable = metadata.preprocessing else {
      throw UnsuitableGenerator(model: name, reason: "has no preprocessing that says a picture's size")
    }
    return try pictureMaker(try Preprocessing(portable, file: name), named: name)
  }

  fileprivate func pictureMaker(
    _ preprocessing: Preprocessing, named name: String
  ) throws(UnsuitableGenerator) -> @Sendable (SharedNetwork) -> any PictureMaker {
    let (axes, codeWidth) = (pictureAxes, codeWidth)
    // What a fixed size makes of any picture.
    let size = preprocessing.sizes(width: 1, height: 1).framed
    let shape: Shape = [preprocessing.channels.count, size.height, size.width]
    guard shape.elementCount == axes.elementCount, axes.count == 1 || axes == shape else {
      throw UnsuitableGenerator(
        model: name,
        reason:
          "has \(axes.shapeText) values for a picture, but its preprocessing makes \(shape.shapeText)"
      )
    }
    return {
      PictureAutoencoder(
        network: $0, of: Self.self, name: name, axes: axes, codeWidth: codeWidth, preprocessing,
        pictureShape: shape)
    }
  }
}

extension Generator {
  /// An autoencoder of one's own.
  ///
  /// - Parameter preprocessing: how a picture becomes its input, of one size.
  /// - Throws: ``UnsuitableGenerator`` when that is not the network's.
  public init(
    _ network: sending VAE, preprocessing: Preprocessing, execution: Execution = .compiled()
  ) throws(UnsuitableGenerator) {
    let name = "the network"
    let pictureMaker = try network.pictureMaker(preprocessing, named: name)
    self.init(named: name, pictureMaker(SharedNetwork(network, execution: execution)))
  }
}

/// An autoencoder in two pieces, which are compiled on their own: pictures to the distributions of codes, and codes to pictures.
struct PictureAutoencoder: PictureEncoder {
  let latentShape: Shape
  let pictureShape: Shape
  let range: ClosedRange<Float> = 0...1
  let sampling: Sampling? = nil
  private let pictures: PictureInput
  private let name: String
  private let encoder: SharedNetwork
  private let decoder: SharedNetwork
  /// Of a picture as the encoder takes it.
  private let axes: Shape

  init<Model: LatentAutoencoder>(
    network: SharedNetwork, of type: Model.Type, name: String, axes: Shape, codeWidth: Int,
    _ preprocessing: Preprocessing, pictureShape: Shape
  ) {
    self.name = name
    self.axes = axes
    self.pictureShape = pictureShape
    latentShape = [codeWidth]
    pictures = PictureInput(preprocessing)
    encoder = network.piece(inputs: ["image"], outputs: ["mean", "log_variance"]) {
      (vae: Model, tensors) in
      let code = vae.encode(tensors["image"])
      return ["mean": code.mean, "log_variance": code.logVariance]
    }
    decoder = network.piece(inputs: ["z"], outputs: ["reconstruction"]) { (vae: Model, tensors) in
      ["reconstruction": vae.decode(tensors["z"])]
    }
  }

  private init(_ other: PictureAutoencoder) {
    (name, latentShape, pictureShape) = (other.name, other.latentShape, other.pictureShape)
    (pictures, axes) = (other.pictures, other.axes)
    encoder = other.encoder.copy()
    decoder = other.decoder.copy()
  }

  func copy() -> PictureAutoencoder { PictureAutoencoder(self) }

  func stepCount(_ sampling: Sampling?, _ conditions: Conditions) throws -> Int {
    guard sampling == nil, conditions.known == nil else {
      throw UnsuitableGenerator(model: name, reason: "decodes noise at once: there are no steps to choose")
    }
    return 1
  }

  func samples(
    of latents: Tensor, _ sampling: Sampling?, _ conditions: BatchConditions,
    noise: (_ step: Int) -> Tensor, step: (_ samples: Tensor) throws -> Void
  ) throws -> Tensor {
    let samples = decoder(latents)
    try samples.requireNumbers(of: "the noise")
    let pictures = samples.reshaped([latents.shape[0]] + pictureShape)
    try step(pictures)
    return pictures
  }

  func encodingSteps(_ sampling: Sampling?) throws -> Int { 1 }

  func latents(
    of samples: Tensor, _ sampling: Sampling?, _ conditions: BatchConditions, step: () throws -> Void
  ) throws -> Tensor {
    let mean = try code(of: samples).mean
    try step()
    return mean
  }

  /// The encoder's input 1×C×H×W for a picture; throws ``UnsuitablePicture``.
  func input(_ image: Image, named name: String) throws(UnsuitablePicture) -> Tensor {
    let input = try pictures.input(image, named: name)
    guard input.shape == [1] + pictureShape else {
      throw UnsuitablePicture(
        name: name, width: input.shape[3], height: input.shape[2],
        expected: "\(pictureShape[2])×\(pictureShape[1])")
    }
    return input
  }

  /// N×C×H×W of the codes' means for pictures N×C×H×W.
  func reconstruction(of pictures: Tensor) throws -> Tensor {
    let samples = decoder(try code(of: pictures).mean)
    try samples.requireNumbers(of: "the picture's code")
    return samples.reshaped(pictures.shape)
  }

  func negativeELBO(of pictures: Tensor, using generator: RandomGenerator) throws -> NegativeELBO {
    let code = try code(of: pictures)
    let z = code.sample(noise: .normal(code.mean.shape, using: generator))
    let reconstruction = decoder(z)
    try reconstruction.requireNumbers(of: "the picture's code")
    return NegativeELBO(
      reconstruction: reconstruction.reshaped([pictures.shape[0], -1]), image: pictures.flattened(from: 1),
      code: code)
  }

  /// q(z|x) of pictures N×C×H×W.
  private func code(of pictures: Tensor) throws -> VAE.Code {
    require(
      pictures.rank == 4 && Array(pictures.shape.dropFirst()) == pictureShape,
      "pictures of \(pictures.shape.shapeText) for an encoder of N×\(pictureShape.shapeText)")
    let outputs = encoder(["image": pictures.reshaped([pictures.shape[0]] + axes)])
    let code = VAE.Code(mean: outputs["mean"], logVariance: outputs["log_variance"])
    try concatenate([code.mean, code.logVariance], axis: 1).requireNumbers(of: "the pictures")
    return code
  }
}
