import Aviary
import Foundation

enum InfoCommand: Command {
  static let name = "info"
  static let summary =
    "Shows what a model consists of: inputs, settings, outputs, layers, shapes, parameters, multiply-adds, receptive fields."
  static let operands = "MODEL"
  static let options = [
    Option.weights, Option.classes, Option.channels, Option.size, Option.set,
    Option(
      "freeze", "STAGES", "show these stages as frozen: block1...block3, or names and patterns with commas"),
    Option.json,
  ]
  static let example = "aviary info vgg19 --freeze block1...block3"

  private struct Report: Encodable {
    /// Nil of a network that the catalogue does not have: one that a `.cfg` describes.
    let card: Card?
    let task: ZooTask
    let dialect: String
    let settings: Settings
    /// Of a network that is a sequence of stages.
    let stages: [String]?
    let summary: Summary
  }

  static func run(_ arguments: Arguments) throws {
    let entry = try Catalogue.selection(try arguments.operands(1)[0]).entry
    let known = try Catalogue.entry(entry.name)
    let sets = try SetOptions(arguments, for: entry)
    try sets.requireSettings(entry)
    let loaded =
      try arguments.file("weights").map {
        try Zoo.network(
          entry, try WeightFile.open($0), settings: sets.settings, allowing: arguments.allowance)
      } ?? Zoo.untrainedNetwork(entry, settings: sets.settings)
    let staged = loaded.network as? any StagedModel
    if let frozen = arguments.string("freeze") { try loaded.network.freeze(parsing: frozen) }
    // The card of all networks that a `.cfg` describes is about one of them.
    let card = try loaded.settings["cfg"] == known.settings()["cfg"] ? known.card() : nil
    let summary = Summary(of: loaded.network, inputs: loaded.exampleInputs())
    if arguments.has("json") {
      return try Console.printJSON(
        Report(
          card: card, task: entry.task, dialect: loaded.dialect.name, settings: loaded.settings,
          stages: staged?.stages.map(\.name), summary: summary))
    }
    Console.print(head(card, loaded, try entry.settings()))
    if let staged { Console.print("stages          \(staged.stages.map(\.name).joined(separator: ", "))") }
    Console.print("\n\(layers(summary))\n\n\(totals(summary))")
    for change in loaded.changes { Console.print("adapted         \(change)") }
    let absent = loaded.report?.absent ?? []
    if !absent.isEmpty {
      Console.print("not in the file \(absent.count) tensors of classifiers that only training needs")
    }
  }

  private static func head(_ card: Card?, _ loaded: LoadedNetwork, _ usual: Settings) -> String {
    let title = card.map { "\($0.title) (\($0.name)" } ?? "A network of a .cfg (\(loaded.name)"
    let paper = card.map { card in
      let paper = card.paper
      return
        "\n\(paper.authors) \(paper.year), \"\(paper.title)\"\(paper.arxiv.map { ", arXiv:\($0)" } ?? "")"
    }
    func ports(_ ports: [TensorPort]) -> String {
      ports.map { "\($0.name) \($0.text)\($0.isOptional ? " (optional)" : "")" }.joined(
        separator: "\n                ")
    }
    let settings = loaded.settings.sorted { $0.key < $1.key }.map { name, value in
      "\(name)=\(value.shortText)"
        + (usual[name] == value ? "" : " (\(usual[name]?.shortText ?? "none") in the catalogue)")
    }
    return """
      \(title), dialect \(loaded.dialect.name)) \(loaded.task.verb): aviary \(loaded.task.command)\(paper ?? "")
      inputs          \(ports(loaded.network.signature.inputs))
      outputs         \(ports(loaded.network.signature.outputs))
      settings        \(settings.isEmpty ? "none" : settings.joined(separator: " "))
      """
  }

  private static func layers(_ summary: Summary) -> String {
    let rows = summary.rows.map { row in
      [
        row.name.isEmpty ? "·" : row.name, row.operation, row.outputShape.dropFirst().shapeText,
        row.parameters == 0 ? "" : row.parameters.grouped,
        row.multiplyAdds == 0 ? "" : row.multiplyAdds.grouped,
        row.receptiveField.shapeText, row.isFrozen ? "frozen" : "",
      ]
    }
    return Console.table(
      ["layer", "operation", "output", "parameters", "multiply-adds", "sees", ""], rows, right: [3, 4])
  }

  private static func totals(_ summary: Summary) -> String {
    func shapes(_ places: [Summary.Place]) -> String { places.map(\.shape.shapeText).joined(separator: ", ") }
    return """
      parameters      \(summary.parameters.grouped), trained \(summary.trainableParameters.grouped)
      multiply-adds   \(summary.multiplyAdds.grouped)
      activations     \((summary.activationBytes / 1024).grouped) KiB as float32
      input → output  \(shapes(summary.inputs)) → \(shapes(summary.outputs))
      """
  }
}

extension ArraySlice<Int> {
  var shapeText: String { Array(self).shapeText }
}
