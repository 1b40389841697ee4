import Aviary
import Foundation

enum InfoCommand: Command {
  static let name = "info"
  static let summary =
    "Shows what a model consists of: layers, shapes, parameters, multiply-adds, receptive fields."
  static let operands = "MODEL"
  static let options = [
    Option.weights, Option.classes, Option.channels, Option.size,
    Option(
      "freeze", "STAGES", "show these stages as frozen: block1...block3, or names and patterns with commas"),
    Option.json,
  ]
  static let example = "aviary info vgg19 --freeze block1...block3"

  private struct Report: Encodable {
    let card: Card
    let dialect: String
    let stages: [String]
    let summary: Summary
  }

  static func run(_ arguments: Arguments) throws {
    let entry = try Catalogue.selection(try arguments.operands(1)[0]).entry
    let card = try entry.card()
    let adaptation = try arguments.adaptation
    let loaded =
      try arguments.file("weights").map {
        try Zoo.load(entry, try WeightFile.open($0), adaptation, allowing: arguments.allowance)
      }
      ?? Zoo.untrained(entry, adaptation)
    let (model, dialect) = (loaded.model, loaded.dialect.name)
    let absent = loaded.report?.absent ?? []
    if let frozen = arguments.string("freeze") { try model.freeze(parsing: frozen) }
    let summary = Summary(of: model, inputShape: [1] + loaded.inputShape)
    if arguments.has("json") {
      return try Console.printJSON(
        Report(card: card, dialect: dialect, stages: model.stages.map(\.name), summary: summary))
    }
    Console.print(text(card, dialect, model.stages.map(\.name), summary))
    for change in loaded.changes { Console.print("adapted            \(change)") }
    if !absent.isEmpty {
      Console.print("not in the file     \(absent.count) tensors of classifiers that only training needs")
    }
  }

  private static func text(_ card: Card, _ dialect: String, _ stages: [String], _ summary: Summary) -> String
  {
    let rows = summary.rows.map { row in
      [
        row.name.isEmpty ? "·" : row.name, row.operation, row.outputShape.dropFirst().shapeText,
        row.parameters == 0 ? "" : row.parameters.grouped,
        row.multiplyAdds == 0 ? "" : row.multiplyAdds.grouped,
        row.receptiveField.shapeText, row.isFrozen ? "frozen" : "",
      ]
    }
    let table = Console.table(
      ["layer", "operation", "output", "parameters", "multiply-adds", "sees", ""], rows, right: [3, 4])
    let paper = card.paper
    return """
      \(card.title) (\(card.name), dialect \(dialect))
      \(paper.authors) \(paper.year), "\(paper.title)"\(paper.arxiv.map { ", arXiv:\($0)" } ?? "")
      stages: \(stages.joined(separator: ", "))

      \(table)

      parameters      \(summary.parameters.grouped), trained \(summary.trainableParameters.grouped)
      multiply-adds   \(summary.multiplyAdds.grouped)
      activations     \((summary.activationBytes / 1024).grouped) KiB as float32
      input → output  \(summary.inputShape.shapeText) → \(summary.outputShape.shapeText)
      """
  }
}

extension ArraySlice<Int> {
  var shapeText: String { Array(self).shapeText }
}
