import Aviary
import Foundation

enum CacheCommand: Command {
  static let name = "cache"
  static let summary =
    "Shows, checks, empties or fills the cache of weights. 'add' takes a folder that 'aviary bundle' made."
  static let operands = "list|verify|clear|add [FOLDER]"
  static let options = [Option.json]
  static let example = "aviary cache add /media/stick/weights"

  private struct Item: Encodable {
    let name: String
    let file: String
    let bytes: Int
    let sha256: String
    let path: String
    /// What is wrong with it; only `verify` looks.
    var problem: String?

    init(_ entry: WeightCache.Entry) {
      name = entry.name
      file = entry.file
      bytes = entry.byteCount
      sha256 = entry.sha256
      path = entry.path
    }
  }

  /// Some of the cache's files are not what was pulled.
  private struct Damaged: Error, CustomStringConvertible {
    let problems: [String]
    var description: String { problems.joined(separator: "; ") }
  }

  static func run(_ arguments: Arguments) throws {
    guard let action = arguments.operands.first else {
      throw UsageError("an action is missing; usage: aviary cache \(operands)")
    }
    let cache = try WeightCache.user()
    let isJSON = arguments.has("json")
    switch action {
    case "list":
      _ = try arguments.operands(1)
      try show(try cache.entries().map(Item.init), isJSON)
    case "verify":
      _ = try arguments.operands(1)
      let items = try verified(cache)
      try show(items, isJSON)
      let problems = items.compactMap(\.problem)
      if !problems.isEmpty { throw Damaged(problems: problems) }
    case "clear":
      _ = try arguments.operands(1)
      let freed = try cache.clear()
      if isJSON { return try Console.printJSON(["freed_bytes": freed]) }
      Console.print("\(ProgressBar.Unit.bytes.text(Double(freed))) removed")
    case "add":
      let folder = try arguments.operands(2)[1]
      try show(try Zoo.add(bundle: folder).map(Item.init), isJSON)
    default:
      throw UsageError("aviary cache takes list, verify, clear or add, not \(action)")
    }
  }

  private static func verified(_ cache: WeightCache) throws -> [Item] {
    let bar = ProgressBar()
    defer { bar.finish() }
    let entries = try cache.entries()
    return entries.enumerated().map { index, entry in
      var item = Item(entry)
      do { try cache.verify(entry.name) } catch { item.problem = "\(error)" }
      bar.update("verify", done: index + 1, total: entries.count)
      return item
    }
  }

  private static func show(_ items: [Item], _ isJSON: Bool) throws {
    if isJSON { return try Console.printJSON(items) }
    guard !items.isEmpty else { return Console.print("the cache is empty") }
    let rows = items.map {
      [$0.name, ProgressBar.Unit.bytes.text(Double($0.bytes)), $0.file, $0.problem == nil ? "" : "damaged"]
    }
    Console.print(Console.table(["weights", "size", "published as", ""], rows, right: [1]))
  }
}
