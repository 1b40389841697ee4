import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights

/// Makes pictures of random numbers.
///
///     let pictures = try Zoo.load(Generator.self, "vae_mnist", weights: "vae.pth").generate(count: 16, seed: 1)
///
/// A picture depends on the seed and on its place: the third of three is the third of a hundred, whatever the batches and the threads,
/// but for how sums are rounded in batches of another size.
public struct Generator: TaskModel {
  public static let task = ZooTask.generation

  /// What messages call the network: its name in the catalogue.
  public let name: String
  private let maker: any PictureMaker
  private let autoencoder: PictureAutoencoder?

  /// - Throws: ``ConfigurationError`` or ``UnsuitableGenerator`` when what is bound to the weights makes no pictures, `WeightsError` when
  ///   it makes no sense, ``WrongTask`` for a network of another task.
  public init(_ loaded: sending LoadedNetwork, execution: Execution = .compiled()) throws {
    let pictureMaker = try Self.pictureMaker(of: loaded)
    self.init(named: loaded.name, pictureMaker(SharedNetwork(loaded.network, execution: execution)))
  }

  /// What families make of networks of one's own.
  init(named name: String, _ maker: any PictureMaker) {
    self.name = name
    self.maker = maker
    autoencoder = maker as? PictureAutoencoder
  }

  private static func pictureMaker(
    of loaded: LoadedNetwork
  ) throws -> @Sendable (SharedNetwork) -> any PictureMaker {
    guard let network = loaded.network as? any GenerativeNetwork else {
      throw WrongTask(model: loaded.name, task: loaded.task)
    }
    return try network.pictureMaker(loaded.metadata, named: loaded.name)
  }

  public func copy() -> Generator { Generator(named: name, maker.copy()) }

  /// The shape of the noise that a picture begins with: C×H×W for diffusion, D for a code.
  public var latentShape: Shape { maker.latentShape }
  /// C×H×W of a picture.
  public var pictureShape: Shape { maker.pictureShape }
  /// The values that black and white have in ``forEachBatch(count:seed:latents:stepNoise:sampling:batch:progress:_:)``.
  public var range: ClosedRange<Float> { maker.range }
  /// How noise becomes a picture where nothing else is asked for, as the weights' schedule says; nil where there is nothing to choose.
  public var sampling: Sampling? { maker.sampling }

  /// Counts runs of a network: those done, and all there will be. What it throws ends the work.
  public typealias Progress = (_ done: Int, _ total: Int) throws -> Void

  /// New pictures.
  ///
  /// - Parameters:
  ///   - count: how many, from 1 on.
  ///   - seed: of the noise; the same one gives the same pictures.
  ///   - sampling: ``sampling`` where nil.
  ///   - batch: how many are made at a time.
  /// - Throws: ``ConfigurationError`` for steps that training did not have, ``UnsuitableGenerator`` for a sampling where there is nothing to
  ///   choose, ``NoNumbers``, what `progress` throws.
  public func generate(
    count: Int, seed: UInt64 = 0, sampling: Sampling? = nil, batch: Int = 16,
    progress: Progress = { _, _ in }
  ) throws -> [Image] {
    var pictures: [Image] = []
    try forEachBatch(count: count, seed: seed, sampling: sampling, batch: batch, progress: progress) {
      pictures += try self.pictures(of: $0)
    }
    return pictures
  }

  /// As ``generate(count:seed:sampling:batch:progress:)``, as numbers, and of given noise where there is some, so that another framework
  /// can check it.
  ///
  /// - Parameters:
  ///   - latents: N noises of ``latentShape`` to begin with, N being `count`.
  ///   - stepNoise: what each step adds, S×N×…, with S the ``stepCount(_:)``; not used by steps that add none. Drawn where nil.
  ///   - body: gets samples N×C×H×W with values of ``range``, and somewhat beyond, batch by batch.
  /// - Throws: also `SignatureError` for noise of another shape, and what `body` throws.
  public func forEachBatch(
    count: Int, seed: UInt64 = 0, latents: Tensor? = nil, stepNoise: Tensor? = nil,
    sampling: Sampling? = nil, batch: Int = 16, progress: Progress = { _, _ in },
    _ body: (_ samples: Tensor) throws -> Void
  ) throws {
    require(count > 0 && batch > 0, "\(count) pictures in batches of \(batch) were asked for")
    let steps = try maker.stepCount(sampling)
    try latents?.require([count] + latentShape, "the noise")
    try stepNoise?.require([steps, count] + latentShape, "the noise of the steps")
    let total = (count + batch - 1) / batch * steps
    let seeds = RandomGenerator(seed: seed)
    var done = 0
    for start in stride(from: 0, to: count, by: batch) {
      let range = start..<min(start + batch, count)
      // Each picture has a stream of its own, which no other picture of the batch can shift.
      let streams = range.map { _ in seeds.split() }
      func drawn() -> Tensor { stack(streams.map { Tensor.normal(latentShape, using: $0) }) }
      let samples = try maker.samples(
        of: latents?.cast(to: .float32).sliced(0, range) ?? drawn(), sampling,
        noise: { stepNoise?[$0].cast(to: .float32).sliced(0, range) ?? drawn() },
        step: {
          done += 1
          try progress(done, total)
        })
      try body(samples)
    }
  }

  /// How often the network runs for a batch; throws as ``generate(count:seed:sampling:batch:progress:)`` for what cannot be done.
  public func stepCount(_ sampling: Sampling? = nil) throws -> Int { try maker.stepCount(sampling) }

  /// The pictures that samples N×C×H×W are; throws ``NoNumbers``.
  public func pictures(of samples: Tensor) throws -> [Image] {
    do {
      return try Image.pictures(of: samples, range: maker.range)
    } catch {
      throw NoNumbers(of: "the noise")
    }
  }
}

extension Generator {
  /// The autoencoder, where the network has an encoder. Throws ``UnsuitableGenerator``.
  private func requireAutoencoder() throws(UnsuitableGenerator) -> PictureAutoencoder {
    if let autoencoder { return autoencoder }
    throw UnsuitableGenerator(
      model: name, reason: "has no encoder: it makes pictures of noise, and cannot take any")
  }

  /// Throws ``UnsuitableGenerator`` where the network takes no pictures.
  public func requireEncoder() throws(UnsuitableGenerator) { _ = try requireAutoencoder() }

  /// A picture as the encoder takes it, 1×C×H×W.
  ///
  /// - Parameter name: what messages call the picture.
  /// - Throws: ``UnsuitablePicture``, ``UnsuitableGenerator`` where the network takes no pictures.
  public func input(_ image: Image, named name: String = "the picture") throws -> Tensor {
    try requireAutoencoder().input(image, named: name)
  }

  /// What pictures become on their way through the code's mean and back.
  ///
  /// - Throws: ``UnsuitablePicture``, ``UnsuitableGenerator`` where the network takes no pictures, ``NoNumbers``.
  public func reconstruct(_ images: [Image]) throws -> [Image] {
    let autoencoder = try requireAutoencoder()
    return try images.flatMap { image in
      try pictures(of: try autoencoder.reconstruction(of: try input(image)))
    }
  }

  /// The negative evidence lower bound of pictures N×C×H×W in nats per picture, with one code drawn for each (Kingma & Welling 2014,
  /// equation 10).
  ///
  /// - Parameter generator: what codes are drawn with. Batches one after another from one generator are as one large batch.
  /// - Throws: ``UnsuitableGenerator`` where the network takes no pictures, ``NoNumbers``.
  public func negativeELBO(of pictures: Tensor, using generator: RandomGenerator) throws -> NegativeELBO {
    try requireAutoencoder().negativeELBO(of: pictures, using: generator)
  }
}

extension Tensor {
  /// Throws `SignatureError` unless the tensor has this shape and floating-point values.
  fileprivate func require(_ wanted: Shape, _ name: String) throws(SignatureError) {
    guard shape == wanted, dtype.isFloatingPoint else {
      throw SignatureError(
        name: name, given: "\(shape.shapeText) \(dtype)", expected: "\(wanted.shapeText) float32")
    }
  }
}
