import Aviary
import Foundation

/// `aviary evaluate` for what makes pictures of noise alone: what a classifier says of them.
enum GeneratorEvaluation {
  private struct Report: Encodable {
    let quality: GenerationQuality
    let sampling: SamplingOptions.Report
    let seconds: Double
  }

  static let options = [
    Option(
      "judge", "MODEL", "for generators: the classifier that judges what they make, by default lenet"),
    Option("count", "N", "for generators: how many pictures are made, by default 1000"),
    Option("sampler", "ddpm|ddim", "of diffusion, as sample takes it"),
    Option("steps", "N", "of diffusion, as sample takes it"), Option("eta", "X", "as sample takes it"),
    Option("class", "N", "as sample takes it"), Option("classes", "N,...", "as sample takes it"),
    Option("guidance", "X", "as sample takes it"),
  ]

  /// The names of the options that are its own.
  static let names: Set = [
    "judge", "count", "sampler", "steps", "eta", "class", "classes", "guidance", "data",
  ]

  static func run(_ name: String, _ generator: Generator, _ arguments: Arguments) throws {
    let options = try SamplingOptions(arguments, count: 1000, batch: 64)
    let judge = try PictureJudge(try Zoo.load(arguments.string("judge") ?? "lenet"))
    guard generator.makesPictures else {
      throw UsageError("\(generator.name) makes no pictures but what an autoencoder makes them of")
    }
    let start = Date()
    let made = try options.samples(
      generator, pictures: [], keepingValues: false, keepingFrames: false, arguments)
    let seconds = Date().timeIntervalSince(start)
    let real = try arguments.string("data").map { folder in
      try realPictures(folder, arguments, generator)
    }
    let quality = GenerationQuality(
      judge: judge.name, made: try sights(of: made.pictures, judge), real: try sights(of: real ?? [], judge))
    let report = Report(
      quality: quality, sampling: try options.report(generator, count: made.pictures.count),
      seconds: seconds)
    if arguments.has("json") { return try Console.printJSON(report) }
    Console.print(
      String(
        format: """
          %@ of %d pictures: sure (> 0.9) of %.1f %%, mean confidence %.4f, score %.3f of at most %d
          taken for each class: %@
          """, judge.name, quality.count, 100 * quality.sureShare, quality.confidence,
        quality.inceptionScore, quality.classes.count,
        quality.classes.map(String.init).joined(separator: " ")))
    if let distance = quality.frechetDistance {
      Console.print(
        String(
          format: "Fréchet distance %.3f in the features of %@ from %d real pictures", distance, judge.name,
          quality.realCount))
    }
  }

  private static func sights(of pictures: [Image], _ judge: PictureJudge) throws -> [PictureJudge.Sight] {
    try stride(from: 0, to: pictures.count, by: 100).map {
      try judge.sight(of: Array(pictures[$0..<min($0 + 100, pictures.count)]))
    }
  }

  /// Real pictures, framed as the generator's are.
  private static func realPictures(
    _ folder: String, _ arguments: Arguments, _ generator: Generator
  ) throws -> [Image] {
    let data = try FramedPictures(folder, isTraining: false, generator.pictureShape)
    let limit = try arguments.integer("limit", default: .max, in: 1...Int.max)
    return try (0..<min(limit, data.count)).map { index in
      try Image.pictures(of: try data.input(index).expandedAxis(at: 0))[0]
    }
  }
}
