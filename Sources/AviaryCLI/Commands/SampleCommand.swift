import Aviary
import Foundation

enum SampleCommand: Command {
  static let name = "sample"
  static let summary =
    "Makes pictures of random numbers, the same ones for the same seed. With --reconstruct, takes pictures through an autoencoder."
  static let operands = "MODEL [IMAGE...]"
  static let options = [
    Option.weights, Option.set, Option("count", "N", "how many pictures, by default 16"),
    Option("seed", "N", "of the noise, by default 0"),
    Option("sampler", "ddpm|ddim", "of diffusion, by default the one that the weights' schedule names"),
    Option("steps", "N", "of diffusion, by default all of training for ddpm and 50 for ddim"),
    Option("eta", "X", "how much noise a step of ddim adds, from 0 (by default) to 1"),
    Option("class", "N", "of the pictures, where the network knows classes; by default 0, 1, 2 and so on"),
    Option("classes", "N,...", "of the pictures in turn"),
    Option(
      "guidance", "X", "how far beyond the class alone: 1 is none, by default what is bound to the weights"),
    Option("batch", "N", "pictures at a time, by default 16"),
    Option("output", "FILE", "the sheet of all pictures to write"),
    Option("columns", "N", "of the sheet, by default 8"),
    Option("separate", "FOLDER", "where to write each picture as a PNG of its own"),
    Option("array", "FILE", "the .npz to write with the raw samples N×C×H×W, before they are rounded"),
    Option(
      "noise", "FILE",
      "the noise to begin with: a .npy, or a .npz with noise and, for what steps add, step_noise (steps×N×C×H×W)"
    ),
    Option("frames", "FILE", "the way from noise to pictures as an animation (.png that browsers play)"),
    Option(
      "frame-count", "N", "pictures of the animation, spread over the steps, by default 24"),
    Option(
      "interpolate", "N",
      "from each of the pictures that are named (or of those that are drawn) to the next in N steps; by ddim for diffusion"
    ),
    Option("known", "FILE", "a picture of which diffusion keeps what --mask says, and makes the rest"),
    Option(
      "mask", "FILE", "a picture of that size: white where new is made, black where the picture is kept"),
    Option(
      "resample", "N",
      "how often each step is done to let new and kept settle, as RePaint does; by default 1, which replaces alone"
    ),
    Option("reconstruct", nil, "encode and decode the pictures that are named; the sheet shows both"),
    Option.exact, Option.eager, Option.precision, Option.json,
  ]
  static let example =
    "aviary sample ddpm_cifar10 --weights ddpm.safetensors --sampler ddim --output grid.png"

  /// What was done.
  private struct Report: Encodable {
    let model: String
    let count: Int
    /// Channels, height and width of a picture.
    let shape: [Int]
    let sampling: SamplingOptions.Report?
    let files: [String]
    let seconds: Double
  }

  static func run(_ arguments: Arguments) throws {
    let isReconstruction = arguments.has("reconstruct")
    let takesPictures = isReconstruction || (arguments.has("interpolate") && arguments.operands.count > 1)
    let name = takesPictures ? try arguments.firstAndRest().first : try arguments.operands(1)[0]
    let entry = try Catalogue.selection(name).entry
    try entry.require(.generation)
    let sets = try SetOptions(arguments, for: entry)
    try sets.requireSettings(entry)
    let options = try SamplingOptions(arguments)
    let sheet = try PictureSheet(arguments)

    let loaded = try arguments.loadedNetwork(name, sets)
    loaded.tellChangesAndAssumptions()
    let generator = try Generator(loaded, execution: try arguments.execution(runs: options.runs))
    let start = Date()
    try sheet.requireSuitable(generator)
    let made =
      isReconstruction
      ? try reconstructions(try arguments.firstAndRest().rest, generator)
      : try options.samples(
        generator, pictures: takesPictures ? try arguments.firstAndRest().rest : [],
        keepingValues: sheet.array != nil, keepingFrames: sheet.frames != nil, arguments)
    let files = try sheet.write(made)
    let report = Report(
      model: entry.name, count: made.pictures.count, shape: generator.pictureShape,
      sampling: isReconstruction ? nil : try options.report(generator, count: made.pictures.count),
      files: files,
      seconds: Date().timeIntervalSince(start))
    if arguments.has("json") { return try Console.printJSON(report) }
    Console.print(files.joined(separator: "\n"))
  }

  /// Pictures as the network sees them, and what it makes of them.
  private static func reconstructions(_ words: [String], _ generator: Generator) throws -> MadePictures {
    let operands = PictureOperands(words)
    if !operands.leftOut.isEmpty {
      Console.printError("\(operands.pictures.count) pictures; left out: \(operands.leftOut)")
    }
    var made = MadePictures()
    for picture in operands.pictures {
      let image = try picture.image()
      made.originals += try generator.pictures(of: try generator.input(image, named: picture.name))
      made.pictures += try generator.reconstruct([image])
    }
    return made
  }
}

/// What is to be written.
struct MadePictures {
  var pictures: [Image] = []
  /// What they were made of, where that were pictures.
  var originals: [Image] = []
  /// Raw samples, batch by batch, where they are wanted.
  var samples: [Tensor] = []
  /// What each picture is on its way, moment by moment, where that is wanted.
  var frames: [[Image]] = []
}

/// Where pictures go.
struct PictureSheet {
  private let sheet: String?
  private let columns: Int
  private let folder: String?
  /// The file for raw samples.
  let array: String?
  /// The file for the way to the pictures.
  let frames: String?

  /// Throws ``UsageError`` when nothing would be written.
  init(_ arguments: Arguments) throws {
    sheet = arguments.string("output")
    columns = try arguments.integer("columns", default: 8, in: 1...1000)
    folder = arguments.string("separate")
    array = arguments.string("array")
    frames = arguments.string("frames")
    guard sheet != nil || folder != nil || array != nil || frames != nil else {
      throw UsageError(
        "nothing would be written: name a sheet with --output, a folder with --separate, a .npz with --array or an animation with --frames"
      )
    }
    if arguments.has("reconstruct"), let other = ["array", "frames"].first(where: arguments.has) {
      throw UsageError("--\(other) goes not with --reconstruct: it is for samples")
    }
    if let frames {
      guard frames.lowercased().hasSuffix(".png") || frames.lowercased().hasSuffix(".apng") else {
        throw UsageError(
          "--frames writes an animated PNG: name a file that ends in .png or .apng, not \(frames)")
      }
      try Output.checkWritable(frames, as: nil)
    }
    if let sheet {
      _ = try Image.FileFormat(endingOf: sheet)
      try Output.checkWritable(sheet, as: nil)
    }
    if let array { try Output.checkWritable(array, as: .npz) }
  }

  /// Throws ``UsageError`` when pictures are wanted of what makes none.
  func requireSuitable(_ generator: Generator) throws {
    guard !generator.makesPictures, sheet != nil || folder != nil || frames != nil else { return }
    throw UsageError(
      "\(generator.name) makes samples of \(generator.pictureShape[0]) channels, from which an autoencoder makes pictures: write them with --array alone"
    )
  }

  /// The files written.
  func write(_ made: MadePictures) throws -> [String] {
    var files: [String] = []
    if let sheet {
      try Image.grid(cells(made), columns: columns).write(to: sheet)
      files.append(sheet)
    }
    if let frames {
      let moments = made.frames.enumerated().map { index, pictures in
        AnimatedPNG.Frame(
          Image.grid(pictures, columns: columns),
          milliseconds: index == made.frames.count - 1 ? Self.lastDelay : Self.delay)
      }
      try AnimatedPNG(moments).write(to: frames)
      files.append(frames)
    }
    if let folder {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      let digits = String(made.pictures.count - 1).count
      for (index, picture) in made.pictures.enumerated() {
        let number = String(repeating: "0", count: digits - String(index).count) + String(index)
        let file = "\(folder)/\(number).png"
        try picture.write(to: file)
        files.append(file)
      }
    }
    if let array {
      let samples = concatenate(made.samples, axis: 0)
      try WeightFile.write(try WeightArchive([("samples", samples)]), to: array, as: .npz)
      files.append(array)
    }
    return files
  }

  /// Milliseconds that a moment of an animation is shown, and the last one.
  private static let (delay, lastDelay) = (80, 1500)

  /// A row of originals above each row of what was made of them.
  private func cells(_ made: MadePictures) -> [Image] {
    guard let first = made.originals.first else { return made.pictures }
    let columns = min(columns, made.pictures.count)
    let empty = first.blank
    return stride(from: 0, to: made.pictures.count, by: columns).flatMap { start in
      let range = start..<min(start + columns, made.pictures.count)
      let rest = Array(repeating: empty, count: columns - range.count)
      return made.originals[range] + rest + made.pictures[range] + rest
    }
  }
}

extension Image {
  /// A black one of the same size.
  fileprivate var blank: Image {
    Image(width: width, height: height, model: model, pixels: Array(repeating: 0, count: pixels.count))
  }
}
