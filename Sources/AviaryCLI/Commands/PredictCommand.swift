import Aviary
import Foundation

enum PredictCommand: Command {
  static let name = "predict"
  static let summary = "Classifies pictures with the preprocessing that belongs to the weights."
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
    let top: [Candidate]
  }

  static func run(_ arguments: Arguments) throws {
    let (name, paths) = try arguments.firstAndRest()
    let loaded = try arguments.model(name)
    try loaded.requirePictures()
    loaded.tellChanges()
    let count = min(try arguments.integer("top", default: 5, in: 1...1_000_000), loaded.labels.count)
    let network = try arguments.network(loaded, runs: paths.count)
    let bar = ProgressBar()
    var predictions: [Prediction] = []
    for (index, path) in paths.enumerated() {
      let image = try Image(contentsOf: path)
      let probabilities = network(loaded.input([image])).softmax()
      let (values, positions) = probabilities.topK(count)
      let candidates = zip(values.values(), positions.values(of: Int64.self)).map { value, position in
        Prediction.Candidate(index: Int(position), label: loaded.labels[Int(position)], probability: value)
      }
      predictions.append(Prediction(image: path, top: candidates))
      if !arguments.has("json") {
        bar.finish()
        Console.print(path)
        for candidate in candidates {
          Console.print(String(format: "  %6.2f %%  ", candidate.probability * 100) + candidate.label)
        }
      }
      bar.update("predict", done: index + 1, total: paths.count)
    }
    bar.finish()
    if arguments.has("json") { try Console.printJSON(predictions) }
  }
}
