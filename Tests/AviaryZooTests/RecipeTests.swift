import AviaryTraining
import AviaryVision
import Testing

@testable import AviaryZoo

@Suite("Recipes")
struct RecipeTests {
  @Test("every recipe is of a model of the zoo, with numbers that can be", arguments: Recipe.names)
  func sound(name: String) throws {
    let recipe = try Recipe.named(name)
    let entry = try Catalogue.entry(recipe.model)
    #expect(recipe.augmentation?.problem == nil)
    #expect(recipe.epochs > 0 && recipe.batch > 0 && 0..<1 ~= recipe.validation)
    if let objective = recipe.objective {
      let loaded = try Zoo.untrainedNetwork(entry, settings: recipe.settings ?? [:])
      _ = try objective.learner(for: loaded, rate: recipe.learningRate, weightDecay: recipe.weightDecay)
      #expect(try objective.pictureShape(of: loaded).count == 3)
    }
    guard let scenes = recipe.scenes else { return }
    // The pictures of the test are others than those to learn from.
    let (first, test) = (scenes.pictures(isTraining: true), scenes.pictures(isTraining: false))
    #expect(first.picture(0).image != test.picture(0).image && first.count == scenes.training)
    guard entry.task == .classification else {
      let loaded = try Zoo.untrainedNetwork(entry)
      let labels = try #require(loaded.metadata.labels)
      let classes = scenes.generator.classNames
      if entry.task == .segmentation { return #expect(labels == ["background"] + classes) }
      if entry.task == .detection {
        let detector = try #require(loaded.network as? any TrainableDetector)
        return #expect(labels == RenumberedObjects(first, from: detector.firstLabel).classNames)
      }
      // Every word of every caption is known.
      let words = (0..<50).flatMap { WordVocabulary.split(first.picture($0).captions[0]) }
      return #expect(Set(words).isSubset(of: labels))
    }
    let loaded = try Zoo.untrained(
      entry, Adaptation(classes: scenes.generator.classNames.count, side: recipe.size))
    #expect([scenes.generator.height, scenes.generator.width] == Array(loaded.inputShape.dropFirst()))
  }

  @Test("an unknown recipe is answered with those there are")
  func unknown() {
    let error = #expect(throws: Recipe.Missing.self) { try Recipe.named("vgg16") }
    #expect(
      error?.description
        == "the zoo has no recipe called vgg16; there are \(Recipe.names.joined(separator: ", "))")
  }
}
