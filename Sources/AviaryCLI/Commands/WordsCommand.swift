import Aviary
import Foundation

enum WordsCommand: Command {
  static let name = "words"
  static let summary =
    "Vectors of words, and texts by their words: train TEXT learns vectors from files of text (word2vec); nearest VECTORS WORD tells the words used most like one; analogy VECTORS A B C, those that are to C what B is to A; convert VECTORS, binary to text and back; search QUERY FILE finds lines of a file, or of several files those that fit (tf-idf). Vectors are files of the C program word2vec."
  static let operands = "train|nearest|analogy|convert|search ARGUMENT..."
  static let options =
    WordTraining.options + [
      Option("output", "FILE", "of train and convert: the vectors to write, as text where it ends in .txt"),
      Option("count", "N", "how many words or texts are told, by default 10"),
      Option("lines", nil, "of search: the lines of all files are the texts, also where there are several"),
      Option.json,
    ]
  static let example = "aviary words nearest vectors.bin king"

  /// What can be done, and the options that are of it.
  private enum Action: String, CaseIterable {
    case train, nearest, analogy, convert, search

    var options: Set<String> {
      switch self {
      case .train: Set(WordTraining.options.map(\.name)).union(["output", "json"])
      case .nearest, .analogy: ["count", "json"]
      case .convert: ["output"]
      case .search: ["count", "json", "lines"]
      }
    }
  }

  static func run(_ arguments: Arguments) throws {
    guard let word = arguments.operands.first, let action = Action(rawValue: word) else {
      let names = Action.allCases.map(\.rawValue)
      throw UsageError(
        "aviary words does \(names.dropLast().joined(separator: ", ")) or \(names.last ?? ""), not \(arguments.operands.first.map { "'\($0)'" } ?? "nothing")"
      )
    }
    if let option = arguments.given.keys.sorted().first(where: { !action.options.contains($0) }) {
      throw UsageError("--\(option) goes not with aviary words \(action.rawValue)")
    }
    let rest = Array(arguments.operands.dropFirst())
    let count = try arguments.integer("count", default: 10, in: 1...1_000_000)
    switch action {
    case .train: try WordTraining.run(rest, arguments)
    case .nearest:
      try require(rest, 2, "nearest VECTORS WORD")
      try show(try vectors(rest[0]).nearest(to: rest[1], count: count), arguments)
    case .analogy:
      try require(rest, 4, "analogy VECTORS A B C")
      try show(try vectors(rest[0]).analogy(rest[1], rest[2], rest[3], count: count), arguments)
    case .convert:
      try require(rest, 1, "convert VECTORS --output FILE")
      let output = try arguments.required("output")
      let found = try vectors(rest[0])
      try found.write(to: output, as: format(of: output))
      Console.print("\(output): \(found.words.count) words, vectors of \(found.width)")
    case .search:
      guard rest.count > 1 else { throw UsageError("usage: aviary words search QUERY FILE...") }
      try search(rest[0], Array(rest.dropFirst()), count, arguments)
    }
  }

  static func format(of path: String) -> WordVectorFile.Format {
    path.lowercased().hasSuffix(".txt") ? .text : .binary
  }

  private static func vectors(_ path: String) throws -> WordVectors { try WordVectors(contentsOf: path) }

  private static func require(_ operands: [String], _ count: Int, _ usage: String) throws {
    guard operands.count == count else { throw UsageError("usage: aviary words \(usage)") }
  }

  private struct Neighbour: Encodable {
    let word: String
    let similarity: Float
  }

  private static func show(_ neighbours: [WordVectors.Neighbour], _ arguments: Arguments) throws {
    if arguments.has("json") {
      return try Console.printJSON(neighbours.map { Neighbour(word: $0.word, similarity: $0.similarity) })
    }
    for neighbour in neighbours {
      Console.print(String(format: "%.4f  ", neighbour.similarity) + neighbour.word.onOneLine)
    }
  }

  // MARK: Retrieval

  private struct Match: Encodable {
    let file: String
    /// Counted from 1; nil where whole files are the texts.
    let line: Int?
    let similarity: Double
    /// The line.
    let text: String?
  }

  /// Of one file its lines are the texts, of several they are themselves.
  private static func search(
    _ query: String, _ paths: [String], _ count: Int, _ arguments: Arguments
  ) throws {
    let files = try paths.map { ($0, try TextFile.text(contentsOf: $0)) }
    let isByLine = files.count == 1 || arguments.has("lines")
    let texts = files.flatMap { path, text -> [(file: String, line: Int?, text: String)] in
      guard isByLine else { return [(path, nil, text)] }
      return text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated()
        .filter { !$0.element.isEmpty }.map { (path, $0.offset + 1, String($0.element)) }
    }
    let index = TextIndex(texts.map(\.text))
    let unknown = index.unknownWords(of: query)
    if !unknown.isEmpty {
      Console.printError("no text has \(unknown.map { "'\($0.onOneLine)'" }.joined(separator: ", "))")
    }
    let matches = index.search(query, count: count).map { found in
      let (file, line, text) = texts[found.document]
      return Match(file: file, line: line, similarity: found.similarity, text: isByLine ? text : nil)
    }
    if arguments.has("json") { return try Console.printJSON(matches) }
    for match in matches {
      let place = (files.count > 1 ? match.file.onOneLine : "") + (match.line.map { ":\($0)" } ?? "")
      let text = match.text.map { "  " + $0.onOneLine } ?? ""
      Console.print(String(format: "%.4f  ", match.similarity) + place + text)
    }
  }
}
