import Aviary

/// What the command line says of how pictures are made.
struct SamplingOptions {
  private let count: Int
  private let seed: Int
  private let batch: Int
  /// A file of noise.
  private let noise: String?
  private let sampler: Kind?
  private let steps: Int?
  private let eta: Float?
  private let classes: [Int]
  private let guidance: Float?
  /// Pictures from one to the next; nil for no ways between them.
  private let interpolation: Int?
  private let frameCount: Int
  private let resamplings: Int

  fileprivate enum Kind: String { case ddpm, ddim }

  /// How pictures were made.
  struct Report: Encodable {
    /// Of the noise that was drawn.
    let seed: Int
    /// Nil where noise is decoded at once.
    let sampler: String?
    /// Runs of the network for a batch.
    let steps: Int
    let eta: Float?
    /// The class of each picture; nil where the network knows none.
    let classes: [Int]?
    /// Towards them, where it was asked for.
    let guidance: Float?
    /// The file of the noise to begin with.
    let noise: String?
  }

  /// - Parameters:
  ///   - count: pictures where the command line says nothing.
  ///   - batch: those at a time.
  /// - Throws: ``UsageError`` for values that mean nothing, or nothing together.
  init(_ arguments: Arguments, count usualCount: Int = 16, batch usualBatch: Int = 16) throws {
    count = try arguments.integer("count", default: usualCount, in: 1...100_000)
    seed = try arguments.integer("seed", default: 0, in: 0...Int.max)
    batch = try arguments.integer("batch", default: usualBatch, in: 1...4096)
    noise = arguments.string("noise")
    sampler = try arguments.string("sampler").map { word in
      guard let kind = Kind(rawValue: word) else {
        throw UsageError("--sampler takes ddpm or ddim, not \(word)")
      }
      return kind
    }
    steps = arguments.has("steps") ? try arguments.integer("steps", default: 1, in: 1...1_000_000) : nil
    eta = arguments.has("eta") ? try arguments.number("eta", default: 0, in: 0...1) : nil
    classes = try Self.classes(arguments)
    guidance =
      arguments.has("guidance") ? try arguments.number("guidance", default: 1, in: -1000...1000) : nil
    interpolation =
      arguments.has("interpolate") ? try arguments.integer("interpolate", default: 8, in: 2...10_000) : nil
    frameCount = try arguments.integer("frame-count", default: 24, in: 1...1000)
    resamplings = try arguments.integer("resample", default: 1, in: 1...100)
    guard arguments.has("known") == arguments.has("mask") else {
      throw UsageError("--known and --mask belong together: a picture, and what of it is made anew")
    }
    if !arguments.has("mask"), arguments.has("resample") { throw UsageError("--resample is for --mask") }
    if !arguments.has("frames"), arguments.has("frame-count") {
      throw UsageError("--frame-count is for --frames")
    }
    if interpolation != nil, let other = ["noise", "mask", "frames"].first(where: arguments.has) {
      throw UsageError("--\(other) goes not with --interpolate")
    }
    if noise != nil, arguments.has("count") {
      throw UsageError("--count goes not with --noise, which says how many pictures there are")
    }
    let others = [
      "count", "seed", "noise", "sampler", "steps", "eta", "class", "classes", "guidance", "interpolate",
      "mask",
    ]
    if arguments.has("reconstruct"), let other = others.first(where: arguments.has) {
      throw UsageError("--\(other) goes not with --reconstruct, which draws nothing")
    }
  }

  /// One class for all pictures, or some in turn.
  private static func classes(_ arguments: Arguments) throws -> [Int] {
    guard let list = arguments.string("classes") else {
      return arguments.has("class") ? [try arguments.integer("class", default: 0, in: 0...1_000_000)] : []
    }
    guard !arguments.has("class") else {
      throw UsageError("--class is for one, --classes for some: not both")
    }
    let numbers = list.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    guard numbers.allSatisfy({ $0.map { 0...1_000_000 ~= $0 } ?? false }) else {
      throw UsageError("--classes takes numbers with commas between them, such as 0,1,2, not '\(list)'")
    }
    return numbers.compactMap(\.self)
  }

  /// What the command line asks of the pictures.
  var conditions: Conditions {
    var conditions = Conditions()
    conditions.classes = classes
    conditions.guidance = guidance
    return conditions
  }

  /// About how often the network runs.
  var runs: Int { (steps ?? 50) * ((count + batch - 1) / batch) }

  /// What was asked for; nil for what the weights say.
  private func sampling(_ generator: Generator) throws -> Sampling? {
    guard sampler != nil || steps != nil || eta != nil else { return nil }
    let kind = sampler ?? (generator.sampling.map(\.kind) ?? .ddpm)
    if kind == .ddim { return .ddim(steps: steps ?? 50, eta: eta ?? 0) }
    guard eta == nil else { throw UsageError("--eta is for --sampler ddim") }
    return .ddpm(steps: steps)
  }

  /// The class of each of the pictures.
  private func madeClasses(_ generator: Generator, _ count: Int) -> [Int]? {
    generator.classCount.map { known in
      (0..<count).map { classes.isEmpty ? $0 % known : classes[$0 % classes.count] }
    }
  }

  /// - Parameter count: of the pictures that were made.
  func report(_ generator: Generator, count: Int) throws -> Report {
    let sampling = try sampling(generator) ?? generator.sampling
    return Report(
      seed: seed, sampler: sampling?.kind.rawValue, steps: try generator.stepCount(sampling),
      eta: sampling?.eta, classes: madeClasses(generator, count), guidance: guidance, noise: noise)
  }

  /// - Parameters:
  ///   - pictures: what is to be gone through from one to the next; none for what is drawn.
  ///   - keepingValues: whether raw samples are wanted too.
  ///   - keepingFrames: whether the way to the pictures is wanted too.
  func samples(
    _ generator: Generator, pictures: [String], keepingValues: Bool, keepingFrames: Bool,
    _ arguments: Arguments
  ) throws -> MadePictures {
    var made = MadePictures()
    let bar = ProgressBar()
    defer { bar.finish() }
    var conditions = conditions
    if let known = arguments.string("known"), let mask = arguments.string("mask") {
      conditions.known = try knownRegion(known, mask, generator)
    }
    var given = try noise.map { try givenNoise($0, arguments) }
    guard given?.latents.shape.first != 0 else { throw UsageError("\(noise!) holds no noise") }
    var sampling = try sampling(generator)
    if let interpolation {
      if generator.sampling != nil, sampling == nil { sampling = .ddim() }
      let latents = try walk(generator, pictures, interpolation, sampling, conditions, bar)
      given = (latents, nil)
    }
    let runs = try generator.stepCount(sampling, conditions)
    var watched = WatchedFrames(wanted: keepingFrames ? frameCount : 0, runs: runs)
    try generator.forEachBatch(
      count: given?.latents.shape.first ?? count, seed: UInt64(seed), latents: given?.latents,
      stepNoise: given?.steps, sampling: sampling, conditions: conditions, batch: batch,
      progress: { bar.update("sample", done: $0, total: $1) },
      watch: { samples in try watched.see { try generator.pictures(of: samples) } },
      { samples in
        if generator.makesPictures { made.pictures += try generator.pictures(of: samples) }
        if keepingValues || !generator.makesPictures { made.samples.append(samples) }
      })
    made.frames = watched.moments
    return made
  }

  /// Latents on the way from one picture to the next: from those that are named, or from noises that are drawn.
  private func walk(
    _ generator: Generator, _ pictures: [String], _ steps: Int, _ sampling: Sampling?,
    _ conditions: Conditions, _ bar: ProgressBar
  ) throws -> Tensor {
    var stations: [Tensor]
    if pictures.isEmpty {
      let seeds = RandomGenerator(seed: UInt64(seed))
      stations = (0..<count).map { _ in Tensor.normal([1] + generator.latentShape, using: seeds.split()) }
    } else {
      let operands = PictureOperands(pictures)
      if !operands.leftOut.isEmpty {
        Console.printError("\(operands.pictures.count) pictures; left out: \(operands.leftOut)")
      }
      stations = try operands.pictures.map { picture in
        let input = try generator.input(try picture.image(), named: picture.name)
        return try generator.latents(of: input, sampling: sampling, conditions: conditions) {
          bar.update("encode", done: $0, total: $1)
        }
      }
    }
    guard stations.count > 1 else { throw UsageError("--interpolate needs two pictures at least") }
    let last = stations.removeLast()
    var latents: [Tensor] = []
    for (index, station) in stations.enumerated() {
      let next = index + 1 < stations.count ? stations[index + 1] : last
      latents += (0..<steps).map { sphericallyInterpolated(station, next, Float($0) / Float(steps)) }
    }
    return concatenate(latents + [last], axis: 0)
  }

  /// A picture and what of it is kept: where a mask is darker than half.
  private func knownRegion(_ known: String, _ mask: String, _ generator: Generator) throws -> KnownRegion {
    let picture = try generator.input(try Image(contentsOf: known), named: known)
    let image = try Image(contentsOf: mask).converted(to: .grey)
    guard [1, 1, image.height, image.width] == [1, 1] + picture.shape[2...] else {
      throw UsageError(
        "\(mask) has \(image.width)×\(image.height) pixels, but the pictures that are made have \(picture.shape[3])×\(picture.shape[2])"
      )
    }
    let kept = image.pixels.map { $0 < 128 ? Float(1) : 0 }
    return KnownRegion(
      picture: picture, mask: Tensor(kept, shape: [1, 1, image.height, image.width]),
      resamplings: resamplings)
  }

  private func givenNoise(
    _ path: String, _ arguments: Arguments
  ) throws -> (latents: Tensor, steps: Tensor?) {
    let archive = try WeightFile.open(try PipedFile.weights(path)).archive
    if let damage = try archive.requireUsableValues(file: path, allowing: arguments.allowance) {
      Console.printError("\(path): \(damage)")
    }
    if let latents = archive["noise"] { return (latents, archive["step_noise"]) }
    guard archive.count == 1 else {
      throw UsageError("\(path) has no array 'noise' but \(archive.names.joined(separator: ", "))")
    }
    return (archive.entries[0].tensor, nil)
  }
}

extension Sampling {
  fileprivate var kind: SamplingOptions.Kind {
    switch self {
    case .ddpm: .ddpm
    case .ddim: .ddim
    }
  }

  fileprivate var eta: Float? { if case .ddim(_, let eta) = self { eta } else { nil } }
}

/// Moments of the way to pictures, spread evenly over the runs of a network.
private struct WatchedFrames {
  private let places: Set<Int>
  private let runs: Int
  private var run = 0
  private var place = 0
  /// The pictures of all batches, moment by moment.
  private(set) var moments: [[Image]] = []

  init(wanted: Int, runs: Int) {
    self.runs = runs
    let count = min(wanted, runs)
    // The last run is always among them.
    places = Set((0..<count).map { runs - 1 - $0 * (runs - 1) / max(count - 1, 1) })
  }

  mutating func see(_ pictures: () throws -> [Image]) rethrows {
    if places.contains(run) {
      let seen = try pictures()
      if place < moments.count { moments[place] += seen } else { moments.append(seen) }
      place += 1
    }
    run += 1
    if run == runs { (run, place) = (0, 0) }
  }
}
