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

  /// - Throws: ``UsageError`` for values that mean nothing, or nothing together.
  init(_ arguments: Arguments) throws {
    count = try arguments.integer("count", default: 16, in: 1...100_000)
    seed = try arguments.integer("seed", default: 0, in: 0...Int.max)
    batch = try arguments.integer("batch", default: 16, in: 1...4096)
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
    if noise != nil, arguments.has("count") {
      throw UsageError("--count goes not with --noise, which says how many pictures there are")
    }
    let others = ["count", "seed", "noise", "sampler", "steps", "eta", "class", "classes", "guidance"]
    if arguments.has("reconstruct"), let other = others.first(where: arguments.has) {
      throw UsageError("--\(other) goes not with --reconstruct, which draws nothing")
    }
  }

  /// One class for all pictures, or some in turn.
  private static func classes(_ arguments: Arguments) throws -> [Int] {
    guard let list = arguments.string("classes") else {
      return arguments.has("class") ? [try arguments.integer("class", default: 0, in: 0...1_000_000)] : []
    }
    guard !arguments.has("class") else { throw UsageError("--class is for one, --classes for some: not both") }
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

  /// - Parameter keepingValues: whether raw samples are wanted too.
  func samples(
    _ generator: Generator, keepingValues: Bool, _ arguments: Arguments
  ) throws -> MadePictures {
    var made = MadePictures()
    let bar = ProgressBar()
    defer { bar.finish() }
    let given = try noise.map { try givenNoise($0, arguments) }
    guard given?.latents.shape.first != 0 else { throw UsageError("\(noise!) holds no noise") }
    try generator.forEachBatch(
      count: given?.latents.shape.first ?? count, seed: UInt64(seed), latents: given?.latents,
      stepNoise: given?.steps, sampling: try sampling(generator), conditions: conditions, batch: batch,
      progress: { bar.update("sample", done: $0, total: $1) },
      { samples in
        made.pictures += try generator.pictures(of: samples)
        if keepingValues { made.samples.append(samples) }
      })
    return made
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
