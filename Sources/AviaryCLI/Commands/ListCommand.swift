import Aviary
import Foundation

enum ListCommand: Command {
  static let name = "list"
  static let summary = "Lists the models of the zoo."
  static let operands = ""
  static let options = [Option.json]
  static let example = "aviary list"

  static func run(_ arguments: Arguments) throws {
    _ = try arguments.operands(0)
    let cards = try Catalogue.entries.map { try $0.card() }
    if arguments.has("json") { return try Console.printJSON(cards) }
    let rows = cards.map { card in
      [
        card.name, card.title, card.parameters.grouped, String(format: "%.3f", card.gigaMultiplyAdds),
        card.weights.compactMap { weights in
          weights.top1.map { "\(weights.dialect) \(String(format: "%.1f", $0)) %" }
        }.joined(separator: ", "),
      ]
    }
    Console.print(
      Console.table(
        ["name", "model", "parameters", "G multiply-adds", "top-1 of published weights"], rows, right: [2, 3])
    )
  }
}
