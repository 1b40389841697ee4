import Aviary
import Foundation

enum PredictCommand: Command {
  static let name = "predict"
  static let summary =
    "Classifies pictures with the preprocessing that belongs to the weights. Folders, patterns and - (standard input) may be named too."
  static let operands = "MODEL IMAGE..."
  static let options = [
    Option.weights, Option.channels, Option.size,
    Option("top", "N", "how many classes to show, by default 5"), Option.exact, Option.eager,
    Option.precision,
    Option.json,
  ]
  static let example = "aviary predict mobilenet_v1_0.25 --weights mobilenet_2_5_224_tf.h5 dog.jpg"

  private struct Prediction: PictureRecord {
    let image: String
    /// Nil where there was an error.
    var top: [Classifier.Answer]?
    var error: String?

    init(image: String) { self.image = image }

    enum CodingKeys: CodingKey { case image, top, error }

    /// With `null` for what there is not, so that each picture has a `top`.
    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(image, forKey: .image)
      try container.encode(top, forKey: .top)
      try container.encodeIfPresent(error, forKey: .error)
    }

    func show() {
      Console.print(image.onOneLine)
      for answer in top ?? [] {
        Console.print(String(format: "  %6.2f %%  ", answer.probability * 100) + answer.label.onOneLine)
      }
    }
  }

  static func run(_ arguments: Arguments) throws {
    let (name, words) = try arguments.firstAndRest()
    let operands = PictureOperands(words)
    let classifier = try arguments.model(Classifier.self, name, runs: operands.pictures.count)
    let count = try arguments.integer("top", default: 5, in: 1...1_000_000)
    try arguments.record(operands, name: "predict") { (prediction: inout Prediction, picture, _) in
      prediction.top = try classifier.classify(try picture.image(), top: count, named: picture.name)
    }
  }
}
