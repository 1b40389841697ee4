import Aviary
import Foundation

/// `aviary train` for networks that paint in one style.
enum StyleTraining {
  private struct Result: Encodable {
    let epochs: [EpochReport]
  }

  static func run(
    _ name: String, _ recipe: Recipe, _ painting: Recipe.Painting, _ arguments: Arguments
  ) throws {
    for option in TrainingOptions.options.map(\.name) where arguments.has(option) {
      throw UsageError("--\(option) is of no use to the recipe \(name)")
    }
    let epochs = try arguments.integer("epochs", default: recipe.epochs, in: 1...100_000)
    let output = try arguments.required("output")
    try Output.checkWritable(output)
    let folder = PictureFolder(try arguments.required("data"))
    guard folder.pictures.count > 1 else {
      throw UsageError("\(try arguments.required("data")) holds no pictures")
    }
    let data = try ContentCrops(folder.pictures, side: painting.side)
    let judge = try StyleTransfer.network(weights: try arguments.file("judge"))
    let loaded = try withRandomSeed(recipe.seed) {
      try Zoo.untrainedNetwork(
        try Catalogue.entry(recipe.model), settings: ["filters": .integer(painting.filters)])
    }
    let learner = try painting.learner(
      of: loaded, judge: judge, examples: data.batch(Array(stride(from: 0, to: data.count, by: 8))),
      optimizer: recipe.makeOptimizer())
    let trainer = Trainer(learner)
    trainer.schedule = recipe.schedule
    let bar = ProgressBar()
    trainer.onProgress = { progress in
      bar.update(
        "epoch \(progress.epoch)/\(progress.epochs)", done: progress.seen, total: progress.total,
        note: String(format: "loss %.4f", progress.loss))
    }
    let reports = try trainer.fit(data, epochs: epochs, batchSize: recipe.batch, seed: recipe.seed)
    bar.finish()
    try loaded.savingOwn(to: output)
    if arguments.has("json") { return try Console.printJSON(Result(epochs: reports)) }
    let last = reports[reports.count - 1].training
    Console.print(
      String(
        format: "\(output): loss %.4f, of the content %.4f, of the style %.4f", last.loss,
        last.metrics["content"] ?? 0, last.metrics["style"] ?? 0))
  }
}
