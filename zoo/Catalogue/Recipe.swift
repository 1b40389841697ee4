import AviaryLayers
import AviaryTensors
import AviaryTraining
import Foundation

/// How a model's shipped weights were trained: a JSON file beside the model.
public struct Recipe: Sendable, Codable, Hashable {
  /// The catalogue's name of the model.
  public var model: String
  /// The data set, as its publisher calls it.
  public var data: String
  /// How often the training data is gone through.
  public var epochs: Int
  /// Pictures in a step.
  public var batch: Int
  /// The optimizer's highest learning rate, which the schedule scales.
  public var learningRate: Float
  /// The decoupled decay of AdamW (Loshchilov & Hutter 2019).
  public var weightDecay: Float
  /// How the learning rate changes over the steps.
  public var schedule: Schedule
  /// Pictures are shifted by up to this many pixels in each direction, at random.
  public var shift: Int
  /// The share of the training data that the best epoch is chosen on.
  public var validation: Float
  /// What the first values, the validation data and the order of the pictures are drawn from.
  public var seed: UInt64

  /// A model has no recipe.
  public struct Missing: Error, CustomStringConvertible {
    /// The name that was asked for.
    public let model: String
    public var description: String { "the zoo has no recipe for \(model)" }
  }

  /// The recipe of a model.
  public static func named(_ model: String) throws -> Recipe {
    guard let url = try? Resources.url("\(model).recipe", "json") else { throw Missing(model: model) }
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(Recipe.self, from: Data(contentsOf: url))
  }

  /// AdamW with the recipe's numbers.
  public func makeOptimizer() -> any Optimizer {
    Adam.decoupled(learningRate: learningRate, weightDecay: weightDecay)
  }

  /// A batch N×C×H×W with each picture shifted at random; zeros move in.
  @Sendable public func augment(_ batch: Tensor) -> Tensor {
    guard shift > 0 else { return batch }
    let offsets = Tensor.uniform([2 * batch.shape[0]]).values().map { Int($0 * Float(2 * shift + 1)) }
    let padded = batch.padded(spatially: Padding([shift, shift]))
    let pictures = (0..<batch.shape[0]).map { index in
      let (y, x) = (offsets[2 * index], offsets[2 * index + 1])
      return padded.sliced(0, index..<(index + 1)).sliced(2, y..<(y + batch.shape[2]))
        .sliced(3, x..<(x + batch.shape[3]))
    }
    return concatenate(pictures, axis: 0)
  }
}
