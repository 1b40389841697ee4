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

  private struct Prediction: Encodable {
    struct Candidate: Encodable {
      let index: Int
      let label: String
      let probability: Float
    }
    let image: String
    /// Nil where there was an error.
    var top: [Candidate]?
    var error: String?

    enum CodingKeys: CodingKey { case image, top, error }

    /// With `null` for what there is not, so that each picture has a `top`.
    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(image, forKey: .image)
      try container.encode(top, forKey: .top)
      try container.encodeIfPresent(error, forKey: .error)
    }
  }

  static func run(_ arguments: Arguments) throws {
    let (name, words) = try arguments.firstAndRest()
    let loaded = try arguments.model(name)
    try loaded.requirePictures()
    let input = try loaded.pictures()
    loaded.tellChanges()
    let operands = PictureOperands(words)
    if !operands.leftOut.isEmpty {
      Console.printError("\(operands.pictures.count) pictures; left out: \(operands.leftOut)")
    }
    let count = min(try arguments.integer("top", default: 5, in: 1...1_000_000), loaded.labels.count)
    let network = try arguments.network(loaded, runs: operands.pictures.count)
    let bar = ProgressBar()
    var predictions: [Prediction] = []
    for (index, picture) in operands.pictures.enumerated() {
      var prediction = Prediction(image: picture.name)
      do {
        let logits = network(try input.input(try picture.image(), named: picture.name))
        guard logits.values().allSatisfy(\.isFinite) else { throw NoNumbers(of: picture.name) }
        prediction.top = candidates(logits, count, loaded.labels)
      } catch {
        prediction.error = "\(error)"
      }
      bar.finish()
      tell(prediction, isJSON: arguments.has("json"))
      predictions.append(prediction)
      bar.update("predict", done: index + 1, total: operands.pictures.count)
    }
    bar.finish()
    if arguments.has("json") { try Console.printJSON(predictions) }
    if predictions.contains(where: { $0.error != nil }) { throw ToldFailure() }
  }

  private static func candidates(_ logits: Tensor, _ count: Int, _ labels: [String]) -> [Prediction.Candidate]
  {
    let (values, positions) = logits.softmax().topK(count)
    return zip(values.values(), positions.values(of: Int64.self)).map { value, position in
      Prediction.Candidate(index: Int(position), label: labels[Int(position)], probability: value)
    }
  }

  private static func tell(_ prediction: Prediction, isJSON: Bool) {
    if let error = prediction.error { return Console.printError("aviary: \(error)") }
    if isJSON { return }
    Console.print(prediction.image.onOneLine)
    for candidate in prediction.top ?? [] {
      Console.print(
        String(format: "  %6.2f %%  ", candidate.probability * 100) + candidate.label.onOneLine)
    }
  }
}
