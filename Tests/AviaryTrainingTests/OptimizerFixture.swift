import AviaryTensors
import Foundation
import TestSupport

/// What `tools/reference/optimizer_fixtures.py` writes.
struct OptimizerFixture: Decodable, Sendable {
  struct Array: Decodable, Sendable {
    let shape: Shape
    let values: [Float]
    var tensor: Tensor { Tensor(values, shape: shape) }
  }

  /// Five steps of one optimiser.
  struct Run: Decodable, Sendable, CustomStringConvertible {
    struct Step: Decodable, Sendable {
      let loss: Float
      let weight: [Float]
      let bias: [Float]
    }
    let name: String
    let options: [String: JSONValue]
    let steps: [Step]
    var description: String { name }

    func option(_ name: String, or value: Float = 0) -> Float { options[name]?.float ?? value }
  }

  /// A loss of fixed arguments; the gradient is that of `input`.
  struct Loss: Decodable, Sendable, CustomStringConvertible {
    let name: String
    let options: [String: JSONValue]
    let inputs: [String: Array]
    let value: Float
    let gradient: [Float]
    var description: String { ([name] + options.map { "\($0) \($1.float ?? 0)" }).joined(separator: ", ") }
  }

  let problem: [String: Array]
  let optimizers: [Run]
  let losses: [Loss]

  static let contents = Result {
    let url = Bundle.module.bundleURL.appending(
      path: "Fixtures/optimizers.json", directoryHint: .notDirectory)
    return try JSONDecoder().decode(OptimizerFixture.self, from: Data(contentsOf: url))
  }
  static let runs = (try? contents.get())?.optimizers ?? []
  static let losses = (try? contents.get())?.losses ?? []
}
