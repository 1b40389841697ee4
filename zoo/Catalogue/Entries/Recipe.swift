import AviaryLayers
import AviaryTensors
import AviaryTraining
import AviaryVision
import Foundation

/// How weights were trained: a JSON file beside the model.
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
  /// How each picture is varied before a step; nil for not at all.
  public var augmentation: Augmentation?
  /// The share of the target that is spread over all classes; nil for none.
  public var labelSmoothing: Float?
  /// Height and width of the input, where they are not the model's own.
  public var size: Int?
  /// What a network that makes pictures learns; nil for a classifier.
  public var objective: GenerationObjective?
  /// What such a network is made from, where that is not the catalogue's.
  public var settings: Settings?
  /// Pictures that are drawn, where they are the data.
  public var scenes: Scenes?
  /// The share of the training data that the best epoch is chosen on.
  public var validation: Float
  /// What the first values, the validation data and the order of the pictures are drawn from.
  public var seed: UInt64

  /// There is no such recipe.
  public struct Missing: Error, CustomStringConvertible {
    /// The name that was asked for.
    public let name: String
    public var description: String {
      "the zoo has no recipe called \(name); there are \(Recipe.names.joined(separator: ", "))"
    }
  }

  /// The names of all recipes.
  public static var names: [String] {
    let ending = ".recipe.json"
    return (Bundle.module.urls(forResourcesWithExtension: "json", subdirectory: nil) ?? [])
      .compactMap(\.lastPathComponent).filter { $0.hasSuffix(ending) }.map {
        String($0.dropLast(ending.count))
      }
      .sorted()
  }

  /// The recipe of a name: that of the model whose weights it makes, or of another kind of data, `vit_scenes`.
  ///
  /// - Throws: ``Missing``.
  public static func named(_ name: String) throws -> Recipe {
    guard let url = try? Resources.url("\(name).recipe", "json") else { throw Missing(name: name) }
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(Recipe.self, from: Data(contentsOf: url))
  }

  /// AdamW with the recipe's numbers.
  public func makeOptimizer() -> any Optimizer {
    Adam.decoupled(learningRate: learningRate, weightDecay: weightDecay)
  }

  /// Pictures of scenes to learn from and to be tested on.
  public struct Scenes: Sendable, Codable, Hashable {
    /// What is drawn.
    public var generator: SceneGenerator
    /// Pictures to learn from, those for the validation included.
    public var training: Int
    /// Pictures for the test.
    public var test: Int

    /// The pictures to learn from, or those for the test.
    public func pictures(isTraining: Bool) -> ScenePictures {
      ScenePictures(generator, count: isTraining ? training : test, seed: isTraining ? 1 : 2)
    }
  }
}
