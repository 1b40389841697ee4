import Aviary
import Foundation

enum ListCommand: Command {
  static let name = "list"
  static let summary = "Lists the models of the zoo, or those that a pattern fits, by what they are for."
  static let operands = "[PATTERN]"
  static let options = [
    Option("task", tasks.joined(separator: "|"), "the models of one task"),
    Option("family", "NAME", "the models of one family, such as ResNet"),
    Option("weights", "NAME", "the models that a framework publishes weights of: torchvision, keras, timm"),
    Option("cached", nil, "the models whose published weights are in the cache"),
    Option("markdown", nil, "print tables in Markdown of all models, as README has them"), Option.json,
  ]
  static let example = "aviary list 'resnet*' --weights keras --cached"

  private static let tasks = ZooTask.allCases.map(\.rawValue)

  /// Nothing is as was asked for.
  private struct NoModel: Error, CustomStringConvertible {
    let description: String
  }

  /// What the models are narrowed down by.
  private struct Filter {
    let pattern: String?
    let task: ZooTask?
    let family: String?
    let framework: String?
    let cache: WeightCache?

    init(_ arguments: Arguments) throws {
      guard arguments.operands.count <= 1 else {
        throw UsageError(
          "\(arguments.operands.count) patterns given, one expected; usage: aviary list \(operands)")
      }
      pattern = arguments.operands.first
      task = try arguments.string("task").map { text in
        try ZooTask(rawValue: text)
          ?? { throw UsageError("there is no task \(text); there are \(tasks.joined(separator: ", "))") }()
      }
      family = try arguments.string("family").map(ListCommand.family)
      framework = try arguments.string("weights").map(ListCommand.framework)
      cache = arguments.has("cached") ? try WeightCache.user() : nil
    }

    func takes(_ entry: ZooEntry, _ card: Card) throws -> Bool {
      guard task == nil || entry.task == task, family == nil || card.family == family,
        framework.map({ name in card.weights.contains { $0.framework == name } }) ?? true,
        pattern.map({ fits(card, $0) }) ?? true
      else { return false }
      return try cache.map { cache in try entry.published().contains { cache.contains($0.name) } } ?? true
    }

    var refusal: String {
      let parts = [
        task.map { "\($0.verb)" }, pattern.map { "is called like \($0)" },
        family.map { "is of the family \($0)" }, framework.map { "has weights from \($0)" },
        cache == nil ? nil : "has its weights in the cache",
      ].compactMap(\.self)
      let nearest = pattern.flatMap { nearestName(to: $0, in: Catalogue.entries.map(\.name)) }
      return "no model \(parts.joined(separator: " and "))" + (nearest.map { "; did you mean \($0)?" } ?? "")
    }
  }

  private struct Row: Encodable {
    let task: ZooTask
    let card: Card

    /// The card with its task.
    func encode(to encoder: any Encoder) throws {
      try card.encode(to: encoder)
      var container = encoder.container(keyedBy: Key.self)
      try container.encode(task, forKey: .task)
    }

    enum Key: CodingKey { case task }
  }

  static func run(_ arguments: Arguments) throws {
    let filter = try Filter(arguments)
    if arguments.has("markdown") { return Console.print(try ModelTable.markdown()) }
    let rows = try Catalogue.entries.map { Row(task: $0.task, card: try $0.card()) }
    let taken = try zip(Catalogue.entries, rows).filter { try filter.takes($0, $1.card) }.map { $1 }
    if arguments.has("json") { return try Console.printJSON(taken) }
    guard !taken.isEmpty else { throw NoModel(description: filter.refusal) }
    let tables = ZooTask.allCases.compactMap { task in
      let cards = taken.filter { $0.task == task }.map(\.card)
      return cards.isEmpty ? nil : "\(task.rawValue): aviary \(task.command)\n\n\(table(cards, task))"
    }
    Console.print(tables.joined(separator: "\n\n"))
  }

  private static func table(_ cards: [Card], _ task: ZooTask) -> String {
    let figures = task == .classification ? "top-1 of published weights" : "published or measured"
    return Console.table(
      ["name", "model", "parameters", "G multiply-adds", figures],
      cards.map { card in
        [
          card.name, card.title, card.parameters.grouped, String(format: "%.3f", card.gigaMultiplyAdds),
          card.weights.compactMap { Self.figures($0) }.joined(separator: ", "),
        ]
      }, right: [2, 3])
  }

  private static func figures(_ weights: Card.Weights) -> String? {
    if let top1 = weights.top1 { return "\(weights.dialect) \(String(format: "%.1f", top1)) %" }
    guard let metrics = weights.metrics else { return nil }
    let texts = metrics.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.formatted())" }
    return "\(weights.data.map { "\($0): " } ?? "")\(texts.joined(separator: ", "))"
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
    try named(text, "family", among: try Catalogue.entries.map { try $0.card().family })
  }

  /// Who publishes weights, likewise.
  private static func framework(_ text: String) throws -> String {
    try named(
      text, "publisher", among: try Catalogue.entries.flatMap { try $0.card().weights.map(\.framework) })
  }

  private static func named(_ text: String, _ kind: String, among names: [String]) throws -> String {
    func simple(_ name: String) -> String { name.lowercased().filter { $0.isLetter || $0.isNumber } }
    if let name = names.first(where: { simple($0) == simple(text) }) { return name }
    let all = names.enumerated().filter { names.firstIndex(of: $0.element) == $0.offset }.map(\.element)
    throw UsageError("there is no \(kind) \(text); there are \(all.joined(separator: ", "))")
  }
}
