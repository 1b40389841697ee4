import Aviary
import Foundation

enum ListCommand: Command {
  static let name = "list"
  static let summary = "Lists the models of the zoo, or those that a pattern fits."
  static let operands = "[PATTERN]"
  static let options = [
    Option("family", "NAME", "the models of one family, such as ResNet"),
    Option("cached", nil, "the models whose published weights are in the cache"), Option.json,
  ]
  static let example = "aviary list 'resnet*' --cached"

  /// Nothing is as was asked for.
  private struct NoModel: Error, CustomStringConvertible {
    let description: String
  }

  static func run(_ arguments: Arguments) throws {
    guard arguments.operands.count <= 1 else {
      throw UsageError(
        "\(arguments.operands.count) patterns given, one expected; usage: aviary list \(operands)")
    }
    let pattern = arguments.operands.first
    let family = try arguments.string("family").map(family)
    let cache = arguments.has("cached") ? try WeightCache.user() : nil
    let entries = try Catalogue.entries.filter { entry in
      let isCached = try cache.map { cache in try entry.published().contains { cache.contains($0.name) } }
      return isCached ?? true
    }
    let cards = try entries.map { try $0.card() }.filter { card in
      (family == nil || card.family == family) && (pattern.map { fits(card, $0) } ?? true)
    }
    if arguments.has("json") { return try Console.printJSON(cards) }
    guard !cards.isEmpty else { throw NoModel(description: refusal(pattern, family, cache != nil)) }
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

  /// A part of the name or title, or a pattern for the whole name.
  private static func fits(_ card: Card, _ pattern: String) -> Bool {
    if pattern.contains(where: { "*?[".contains($0) }) {
      return fnmatch(pattern.lowercased(), card.name.lowercased(), 0) == 0
    }
    return [card.name, card.title].contains { $0.localizedCaseInsensitiveContains(pattern) }
  }

  /// A family by its name, in any case and with blanks or without.
  private static func family(_ text: String) throws -> String {
    let families = try Catalogue.entries.map { try $0.card().family }
    func simple(_ name: String) -> String { name.lowercased().filter { $0.isLetter || $0.isNumber } }
    if let family = families.first(where: { simple($0) == simple(text) }) { return family }
    let all = families.enumerated().filter { families.firstIndex(of: $0.element) == $0.offset }.map(\.element)
    throw UsageError("there is no family \(text); there are \(all.joined(separator: ", "))")
  }

  private static func refusal(_ pattern: String?, _ family: String?, _ isCached: Bool) -> String {
    let parts = [
      pattern.map { "is called like \($0)" }, family.map { "is of the family \($0)" },
      isCached ? "has its weights in the cache" : nil,
    ].compactMap(\.self)
    let nearest = pattern.flatMap { nearestName(to: $0, in: Catalogue.entries.map(\.name)) }
    return "no model \(parts.joined(separator: " and "))" + (nearest.map { "; did you mean \($0)?" } ?? "")
  }
}
