import Aviary
import Foundation

/// `aviary evaluate` for autoencoders: the negative evidence lower bound per picture.
enum AutoencoderEvaluation {
  private struct Report: Encodable {
    /// Nats per picture: the sum of the next two.
    let negativeElbo: Double
    let reconstruction: Double
    let divergence: Double
    /// The bound in bits for each value of a picture.
    let bitsPerDimension: Double
    /// The mean squared error of what the codes' means become, for values from 0 to 1.
    let squaredError: Double
    let count: Int
    let errors: [String]
  }

  static func run(_ name: String, _ arguments: Arguments) throws {
    let batch = try arguments.integer("batch", default: 64, in: 1...4096)
    let limit = try arguments.integer("limit", default: .max, in: 1...Int.max)
    let seed = try arguments.integer("seed", default: 0, in: 0...Int.max)
    let loaded = try arguments.loadedNetwork(
      name, try SetOptions(arguments, for: try Catalogue.selection(name).entry))
    loaded.tellChangesAndAssumptions()
    let generator = try Generator(loaded, execution: try arguments.execution(runs: 100))
    if (try? generator.requireEncoder()) == nil {
      return try GeneratorEvaluation.run(name, generator, arguments)
    }
    if let option = GeneratorEvaluation.names.subtracting(["data"]).sorted().first(where: arguments.has) {
      throw UsageError("--\(option) goes not with \(generator.name), which is an autoencoder")
    }
    let folder = try arguments.required("data")
    let pictures = try EncodedPictures(folder, generator)
    let count = min(limit, pictures.count)

    let draws = RandomGenerator(seed: UInt64(seed))
    var (reconstruction, divergence, error, seen) = (0.0, 0.0, 0.0, 0)
    var errors: [String] = []
    var waiting: [Tensor] = []
    let bar = ProgressBar()
    for index in 0..<count {
      do {
        waiting.append(try pictures.input(index))
      } catch {
        bar.finish()
        Console.printError("aviary: \(error)")
        errors.append("\(error)")
      }
      if !waiting.isEmpty, waiting.count == batch || index == count - 1 {
        let batch = concatenate(waiting, axis: 0)
        let bound = try generator.negativeELBO(of: batch, using: draws)
        error += Double(try generator.reconstructionError(of: batch)) * Double(waiting.count)
        reconstruction += Double(bound.reconstruction.item()) * Double(waiting.count)
        divergence += Double(bound.divergence.item()) * Double(waiting.count)
        seen += waiting.count
        waiting.removeAll()
      }
      bar.update("evaluate", done: index + 1, total: count)
    }
    bar.finish()
    let total = Double(max(seen, 1))
    let report = Report(
      negativeElbo: (reconstruction + divergence) / total, reconstruction: reconstruction / total,
      divergence: divergence / total,
      bitsPerDimension: (reconstruction + divergence) / total / log(2)
        / Double(generator.pictureShape.reduce(1, *)),
      squaredError: error / total, count: seen, errors: errors)
    if arguments.has("json") {
      try Console.printJSON(report)
    } else if seen > 0 {
      Console.print(
        String(
          format: """
            negative ELBO %.2f nats = %.2f of reconstruction + %.2f of divergence, per picture of %d
            %.4f bits per dimension; squared error of the means %.5f
            """, report.negativeElbo, report.reconstruction, report.divergence, report.count,
          report.bitsPerDimension, report.squaredError))
    }
    if !errors.isEmpty { throw ToldFailure() }
  }
}

/// Pictures as an autoencoder takes them: MNIST's test digits where a folder has them, else the folder's pictures.
private struct EncodedPictures {
  private let digits: MNIST?
  private let pictures: [PictureOperand]
  private let generator: Generator

  init(_ folder: String, _ generator: Generator) throws {
    self.generator = generator
    try generator.requireEncoder()
    if FileManager.default.fileExists(atPath: "\(folder)/t10k-images-idx3-ubyte.gz") {
      let digits = try MNIST(folder: folder, isTraining: false)
      (self.digits, pictures) = (digits, [])
      guard digits.input(0).shape == generator.pictureShape else {
        throw UsageError(
          "\(folder) has pictures of \(digits.input(0).shape.shapeText), but \(generator.name) takes \(generator.pictureShape.shapeText)"
        )
      }
      return
    }
    let operands = PictureOperands([folder])
    if !operands.leftOut.isEmpty {
      Console.printError("\(operands.pictures.count) pictures; left out: \(operands.leftOut)")
    }
    (digits, pictures) = (nil, operands.pictures)
  }

  var count: Int { digits?.count ?? pictures.count }

  /// 1×C×H×W.
  func input(_ index: Int) throws -> Tensor {
    if let digits { return digits.input(index).expandedAxis(at: 0) }
    return try generator.input(try pictures[index].image(), named: pictures[index].name)
  }
}
