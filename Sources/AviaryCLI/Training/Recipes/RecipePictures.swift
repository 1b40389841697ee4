import Aviary

/// The pictures of a recipe: those that it draws, or those of a folder.
struct RecipePictures {
  let training: SomePictures
  /// What the best epoch is chosen by.
  let validation: SomePictures
  /// Looked at once, at the end.
  let test: any AnnotatedPictures

  /// - Parameter open: reads one of the folders `training` and `test` in that of the data.
  init(
    of followed: FollowedRecipe, opening open: (_ folder: String) throws -> any AnnotatedPictures
  ) throws {
    let recipe = followed.recipe
    if let scenes = recipe.scenes {
      // Drawn independently of each other: any part is as good as another.
      (training, validation) = scenes.pictures(isTraining: true).parts(validation: recipe.validation)
      test = scenes.pictures(isTraining: false)
      return
    }
    guard let folder = followed.folder else {
      throw Recipe.Unsuitable(recipe: followed.name, reason: "it neither draws pictures nor takes a folder")
    }
    (training, validation) = try open("\(folder)/training").parts(
      validation: recipe.validation, shuffledBy: recipe.seed)
    test = try open("\(folder)/test")
    guard test.classNames == training.classNames else {
      throw UsageError(
        "\(folder)/test has other classes than \(folder)/training: \(test.classNames.joined(separator: ", "))"
      )
    }
  }
}
