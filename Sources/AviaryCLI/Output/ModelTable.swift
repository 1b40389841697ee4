import Aviary

/// The models of the catalogue as tables in Markdown, one per task: what README shows.
enum ModelTable {
  /// Models of one family and paper.
  private struct Row {
    let family: String
    let paper: Card.Paper
    var cards: [Card]
  }

  static func markdown() throws -> String {
    try ZooTask.allCases.compactMap { task in
      let cards = try Catalogue.entries(task).map { try $0.card() }
      if cards.isEmpty { return nil }
      let title = task.rawValue.prefix(1).uppercased() + task.rawValue.dropFirst()
      let lines = rows(cards).map(line)
      return """
        **\(title)**: `aviary \(task.command)`

        | family | models | paper | published weights |
        |---|---|---|---|
        \(lines.joined(separator: "\n"))
        """
    }.joined(separator: "\n\n")
  }

  private static func rows(_ cards: [Card]) -> [Row] {
    var rows: [Row] = []
    for card in cards {
      if let place = rows.firstIndex(where: { $0.family == card.family && $0.paper == card.paper }) {
        rows[place].cards.append(card)
      } else {
        rows.append(Row(family: card.family, paper: card.paper, cards: [card]))
      }
    }
    return rows
  }

  private static func line(_ row: Row) -> String {
    let first = row.paper.authors.split(separator: ",")[0]
    let isOne = !row.paper.authors.contains(",")
    let authors = "\(first)\(isOne ? "" : " et al.") \(row.paper.year)"
    let paper = row.paper.arxiv.map { "[\(authors)](https://arxiv.org/abs/\($0))" } ?? authors
    return "| \(row.family) | \(names(row.cards)) | \(paper) | \(weights(row.cards)) |"
  }

  private static func names(_ cards: [Card]) -> String {
    cards.map { "`\($0.name)`" }.joined(separator: " ")
  }

  /// Who publishes weights, with the models where it is not all of them.
  private static func weights(_ cards: [Card]) -> String {
    var publishers: [String] = []
    for name in cards.flatMap({ $0.weights.map(\.framework) }) where !publishers.contains(name) {
      publishers.append(name)
    }
    let texts = publishers.map { publisher in
      let having = cards.filter { $0.weights.contains { $0.framework == publisher } }
      let name = publisher == "aviary" ? "comes with the zoo" : publisher
      return having.count == cards.count ? name : "\(name) for \(names(having))"
    }
    return texts.isEmpty ? "–" : texts.joined(separator: "; ")
  }
}
