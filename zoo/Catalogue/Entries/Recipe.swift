import AviaryLayers
import AviaryTensors
import AviaryTraining
import AviaryVision
import Foundation

/// How weights were trained: a JSON file beside the model.
package struct Recipe: Sendable, Codable, Hashable {
  /// The catalogue's name of the model.
  package var model: String
  /// The data set, as its publisher calls it.
  package var data: String
  /// How often the training data is gone through.
  package var epochs: Int
  /// Pictures, or pieces of a text, in a step.
  package var batch: Int
  /// The optimizer's highest learning rate, which the schedule scales.
  package var learningRate: Float
  /// The decoupled decay of AdamW (Loshchilov & Hutter 2019).
  package var weightDecay: Float
  /// How the learning rate changes over the steps.
  package var schedule: Schedule
  /// How each picture is varied before a step; nil for not at all.
  package var augmentation: Augmentation?
  /// How the examples of a batch are mixed before a step of a classifier; nil for not at all.
  package var mixing: BatchMixing?
  /// The share of a classifier's target that is spread over all classes; nil for none.
  package var labelSmoothing: Float?
  /// What a network for pixels learns from; cross-entropy where absent.
  package var pixelLoss: PixelLoss?
  /// What it counts in a captioner's loss that all places are looked at alike; the paper's 1 where absent.
  package var attentionWeight: Float?
  /// Height and width of the input, where they are not the model's own.
  package var size: Int?
  /// The tokens of a piece of text that is learned at once; nil where no text is learned.
  package var length: Int?
  /// Whether the weights are stored in float16; float32 where absent.
  package var storesHalf: Bool?
  /// What a network that makes pictures learns; nil for a classifier.
  package var objective: GenerationObjective?
  /// What such a network is made from, where that is not the catalogue's.
  package var settings: Settings?
  /// Pictures that are drawn, where they are the data.
  package var scenes: Scenes?
  /// Dates that are made up, where they are the data.
  package var dates: Dates?
  /// How a network is taught to paint, where that is what it learns.
  package var painting: Painting?
  /// The share of the training data that the best epoch is chosen on.
  package var validation: Float
  /// What the first values, the validation data and the order of the pictures are drawn from.
  package var seed: UInt64

  /// There is no such recipe.
  package struct Missing: Error, CustomStringConvertible {
    /// The name that was asked for.
    package let name: String
    package var description: String {
      "the zoo has no recipe called \(name); there are \(Recipe.names.joined(separator: ", "))"
    }
  }

  /// A recipe that cannot be followed.
  package struct Unsuitable: Error, CustomStringConvertible {
    /// The recipe's name.
    package let recipe: String
    /// What is wrong, in words.
    package let reason: String
    package var description: String { "the recipe \(recipe) cannot be followed: \(reason)" }

    package init(recipe: String, reason: String) {
      self.recipe = recipe
      self.reason = reason
    }
  }

  /// The names of all recipes.
  package static var names: [String] {
    let ending = ".recipe.json"
    return (Bundle.module.urls(forResourcesWithExtension: "json", subdirectory: nil) ?? [])
      .compactMap(\.lastPathComponent).filter { $0.hasSuffix(ending) }.map {
        String($0.dropLast(ending.count))
      }
      .sorted()
  }

  /// The recipe of a name: that of the model whose weights it makes, or of another kind of data, `vit_scenes`.
  ///
  /// - Throws: ``Missing``, ``Unsuitable``.
  package static func named(_ name: String) throws -> Recipe {
    guard let url = try? Resources.url("\(name).recipe", "json") else { throw Missing(name: name) }
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let recipe = try decoder.decode(Recipe.self, from: Data(contentsOf: url))
    if let problem = recipe.augmentation?.problem { throw Unsuitable(recipe: name, reason: problem) }
    return recipe
  }

  /// AdamW with the recipe's numbers.
  package func makeOptimizer() -> any Optimizer {
    Adam.decoupled(learningRate: learningRate, weightDecay: weightDecay)
  }

  /// How many dates are made up.
  package struct Dates: Sendable, Codable, Hashable {
    /// To learn from, in each epoch others.
    package var training: Int
    /// To choose the best epoch by.
    package var validation: Int
    /// For the test.
    package var test: Int
  }

  /// Pictures of scenes to learn from and to be tested on.
  package struct Scenes: Sendable, Codable, Hashable {
    /// What is drawn.
    package var generator: SceneGenerator
    /// Pictures to learn from, those for the validation included.
    package var training: Int
    /// Pictures for the test.
    package var test: Int

    /// The pictures to learn from, or those for the test.
    package func pictures(isTraining: Bool) -> ScenePictures {
      ScenePictures(generator, count: isTraining ? training : test, seed: isTraining ? 1 : 2)
    }
  }
}
