import AviaryTensors

/// The numbers of words in a pickle: an object of any class with an attribute `word2idx`, as the `Vocabulary` of yunjey's captioner is, or a
/// dictionary from words to numbers. Like all pickles it is read as inert data.
package enum PickledWords {
  /// The words of the file at `path` with their numbers; nil for a file that begins as no pickle does.
  ///
  /// - Throws: ``WeightsError`` naming the file when it cannot be read, is damaged, takes more time or memory than it may, holds other things, or
  ///   has an `idx2word` that says something else.
  package static func numbers(contentsOf path: String) throws -> [String: Int]? {
    try naming(path) {
      let file = FileWindow(try MappedFile(path: path))
      return try file.withBytes { bytes in
        guard let first = bytes.first, beginnings.contains(first) else { return nil }
        var machine = PickleMachine(bytes, file.budget)
        let root = try machine.run()
        return try PickledWords.numbers(root, machine.graph, file.budget)
      }
    }
  }

  /// A protocol's number, or in protocol 0 the name of a class, a mark, or an object without contents.
  private static let beginnings: Set = [0x80, UInt8(ascii: "c"), UInt8(ascii: "(")]

  private static func numbers(
    _ root: PickleReference, _ graph: PickleGraph, _ budget: ReadingBudget
  ) throws -> [String: Int] {
    var attributes: [String: PickleReference] = [:]
    if case .record(let record) = graph[root], let entries = record.state.flatMap(graph.entries) {
      try budget.spend(steps: entries.count)
      for entry in entries { if let name = graph.string(entry.key) { attributes[name] = entry.value } }
    }
    guard let words = graph.entries(attributes["word2idx"] ?? root) else {
      throw WeightsError(
        .unsupported, "the pickle is no dictionary from words to numbers, nor an object with a word2idx")
    }
    try budget.spend(steps: 4 * words.count)
    var numbers: [String: Int] = [:]
    for entry in words {
      guard let word = graph.string(entry.key), let number = graph.int(entry.value) else {
        throw WeightsError(.malformed, "the pickle has a word that is no text, or whose number is none")
      }
      numbers[word] = number
    }
    for entry in try attributes["idx2word"].map({ try others($0, graph, budget) }) ?? [] {
      guard let number = graph.int(entry.key), let word = graph.string(entry.value), numbers[word] == number
      else {
        let given = graph.string(entry.value).map(\.quoted) ?? "something"
        throw WeightsError(.malformed, "idx2word has \(given) where word2idx does not")
      }
    }
    return numbers
  }

  private static func others(
    _ reference: PickleReference, _ graph: PickleGraph, _ budget: ReadingBudget
  ) throws -> [PickleEntry] {
    guard let entries = graph.entries(reference) else {
      throw WeightsError(.malformed, "idx2word is no dictionary from numbers to words")
    }
    try budget.spend(steps: 4 * entries.count)
    return entries
  }
}
