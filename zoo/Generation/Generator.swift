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
  private var autoencoder: PictureAutoencoder? { maker as? PictureAutoencoder }
  private var encoder: (any PictureEncoder)? { maker as? any PictureEncoder }

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
  /// The values that black and white have in
  /// ``forEachBatch(count:seed:latents:stepNoise:sampling:conditions:batch:progress:watch:_:)``.
  public var range: ClosedRange<Float> { maker.range }
  /// How noise becomes a picture where nothing else is asked for, as the weights' schedule says; nil where there is nothing to choose.
  public var sampling: Sampling? { maker.sampling }

  /// How many classes of pictures the network tells apart; nil where it knows none.
  public var classCount: Int? { maker.classCount }

  /// Counts runs of a network: those done, and all there will be. What it throws ends the work.
  public typealias Progress = (_ done: Int, _ total: Int) throws -> Void

  /// New pictures.
  ///
  /// - Parameters:
  ///   - count: how many, from 1 on.
  ///   - seed: of the noise; the same one gives the same pictures.
  ///   - sampling: ``sampling`` where nil.
  ///   - conditions: classes, guidance, what is there already.
  ///   - batch: how many are made at a time.
  /// - Throws: ``ConfigurationError`` for steps that training did not have, ``UnsuitableGenerator`` for a sampling where there is nothing to
  ///   choose and for conditions that the network does not know, ``NoNumbers``, what `progress` throws.
  public func generate(
    count: Int, seed: UInt64 = 0, sampling: Sampling? = nil, conditions: Conditions = Conditions(),
    batch: Int = 16, progress: Progress = { _, _ in }
  ) throws -> [Image] {
    var pictures: [Image] = []
    try forEachBatch(
      count: count, seed: seed, sampling: sampling, conditions: conditions, batch: batch, progress: progress
    ) {
      pictures += try self.pictures(of: $0)
    }
    return pictures
  }

  /// As ``generate(count:seed:sampling:conditions:batch:progress:)``, as numbers, and of given noise where there is some, so that another framework
  /// can check it.
  ///
  /// - Parameters:
  ///   - latents: N noises of ``latentShape`` to begin with, N being `count`.
  ///   - stepNoise: what each step adds, S×N×…, with S the ``stepCount(_:)``; not used by steps that add none. Drawn where nil.
  ///   - watch: gets what the samples of a batch are after each run of a network, N×C×H×W.
  ///   - body: gets samples N×C×H×W with values of ``range``, and somewhat beyond, batch by batch.
  /// - Throws: also `SignatureError` for noise of another shape, and what `watch` and `body` throw.
  public func forEachBatch(
    count: Int, seed: UInt64 = 0, latents: Tensor? = nil, stepNoise: Tensor? = nil,
    sampling: Sampling? = nil, conditions: Conditions = Conditions(), batch: Int = 16,
    progress: Progress = { _, _ in }, watch: (_ samples: Tensor) throws -> Void = { _ in },
    _ body: (_ samples: Tensor) throws -> Void
  ) throws {
    require(count > 0 && batch > 0, "\(count) pictures in batches of \(batch) were asked for")
    let steps = try stepCount(sampling, conditions)
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
        batchConditions(conditions, range, drawn),
        noise: { stepNoise?[$0].cast(to: .float32).sliced(0, range) ?? drawn() },
        step: {
          done += 1
          try watch($0)
          try progress(done, total)
        })
      try body(samples)
    }
  }

  private func batchConditions(
    _ conditions: Conditions, _ range: Range<Int>, _ drawn: @escaping () -> Tensor
  ) -> BatchConditions {
    let classes = classCount.map { count in
      range.map {
        conditions.classes.isEmpty ? $0 % count : conditions.classes[$0 % conditions.classes.count]
      }
    }
    return BatchConditions(
      classes: classes, guidance: conditions.guidance, known: conditions.known, drawn: drawn)
  }

  /// How often the network runs for a batch; throws as ``generate(count:seed:sampling:conditions:batch:progress:)`` for what cannot be
  /// done.
  public func stepCount(
    _ sampling: Sampling? = nil, _ conditions: Conditions = Conditions()
  ) throws -> Int {
    if let count = classCount {
      if let wrong = conditions.classes.first(where: { !(0..<count).contains($0) }) {
        throw UnsuitableGenerator(
          model: name, reason: "knows the classes 0 to \(count - 1), there is no class \(wrong)")
      }
    } else if !conditions.classes.isEmpty || conditions.guidance != nil {
      throw UnsuitableGenerator(
        model: name, reason: "knows no classes: none can be asked for, and there is no guidance towards them")
    }
    if let known = conditions.known, known.picture.shape != [1] + pictureShape {
      throw UnsuitableGenerator(
        model: name,
        reason:
          "makes pictures of \(pictureShape.shapeText), a picture of \(known.picture.shape.shapeText) is none of them"
      )
    }
    return try maker.stepCount(sampling, conditions)
  }

  /// Whether samples are pictures, of 1 or 3 channels; else they are what an autoencoder makes pictures of.
  public var makesPictures: Bool { [1, 3].contains(pictureShape[0]) }

  /// The pictures that samples N×C×H×W are; throws ``NoNumbers``, and ``UnsuitableGenerator`` where they are none.
  public func pictures(of samples: Tensor) throws -> [Image] {
    guard makesPictures else {
      throw UnsuitableGenerator(
        model: name,
        reason: "makes samples of \(pictureShape[0]) channels, from which an autoencoder makes pictures")
    }
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

  private func requireAnyEncoder() throws(UnsuitableGenerator) -> any PictureEncoder {
    if let encoder { return encoder }
    throw UnsuitableGenerator(
      model: name, reason: "cannot take pictures: nothing leads from them to the noise that makes them")
  }

  /// The samples 1×C×H×W that a picture is.
  ///
  /// - Parameter name: what messages call the picture.
  /// - Throws: ``UnsuitablePicture``, ``UnsuitableGenerator`` where the network takes no pictures.
  public func input(_ image: Image, named name: String = "the picture") throws -> Tensor {
    try requireAnyEncoder().input(image, named: name)
  }

  /// The latents N×… that samples N×C×H×W are made of: the means of an autoencoder's codes; for diffusion the noise at the end of DDIM's way
  /// back, step by step and without chance, from which ``forEachBatch(count:seed:latents:stepNoise:sampling:conditions:batch:progress:watch:_:)``
  /// with DDIM and η = 0 returns about the same pictures.
  ///
  /// - Parameters:
  ///   - sampling: of diffusion, ``Sampling/ddim(steps:eta:)`` alone; by default in 50 steps.
  ///   - conditions: the classes that the pictures are of, and the guidance; nothing is known beside the pictures.
  /// - Throws: ``UnsuitableGenerator`` where the network takes no pictures, ``ConfigurationError``, ``NoNumbers``, what `progress` throws.
  public func latents(
    of samples: Tensor, sampling: Sampling? = nil, conditions: Conditions = Conditions(),
    progress: Progress = { _, _ in }
  ) throws -> Tensor {
    let encoder = try requireAnyEncoder()
    _ = try stepCount(sampling, conditions)
    let total = try encoder.encodingSteps(sampling)
    try samples.require([samples.shape.first ?? 0] + pictureShape, "the pictures")
    var done = 0
    let conditions = batchConditions(conditions, 0..<samples.shape[0]) {
      requirementFailure("the way back draws nothing")
    }
    return try encoder.latents(of: samples.cast(to: .float32), sampling, conditions) {
      done += 1
      try progress(done, total)
    }
  }

  /// What pictures become on their way through the code's mean and back.
  ///
  /// - Throws: ``UnsuitablePicture``, ``UnsuitableGenerator`` where the network takes no pictures, ``NoNumbers``.
  public func reconstruct(_ images: [Image]) throws -> [Image] {
    let autoencoder = try requireAutoencoder()
    return try images.flatMap { image in
      try pictures(of: try autoencoder.reconstruction(of: try autoencoder.input(image, named: "the picture")))
    }
  }

  /// The mean squared error of what pictures N×C×H×W become on their way through the code's mean and back.
  ///
  /// - Throws: ``UnsuitableGenerator`` where the network takes no pictures, ``NoNumbers``.
  public func reconstructionError(of pictures: Tensor) throws -> Float {
    (try requireAutoencoder().reconstruction(of: pictures) - pictures).square().mean().item()
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
