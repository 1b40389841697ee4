import Foundation

/// Finds texts by the words that they have in common with a query: each text is a vector of how often each word stands in it (tf) times how rare the
/// word is (idf), and texts are ranked by the cosine of the angle to the query's (Salton & Buckley 1988, "Term-weighting approaches in automatic text
/// retrieval").
///
///     let index = TextIndex(lines)
///     for found in index.search("birds in winter", count: 3) { print(lines[found.document], found.similarity) }
public struct TextIndex: Sendable {
  /// How rare a word is that stands in n of N texts.
  public enum Rarity: String, Sendable, Hashable, CaseIterable {
    /// ln(N/n): a word of all texts counts nothing.
    case plain
    /// ln((1 + N)/(1 + n)) + 1, scikit-learn's: as though one more text had every word, and no word counts nothing.
    case smooth
  }

  /// A text that was found.
  public struct Match: Sendable, Hashable {
    /// Its place among the texts.
    public let document: Int
    /// The cosine, from 0 to 1.
    public let similarity: Double
  }

  /// How many texts there are.
  public let count: Int
  /// How rare words are.
  public let rarity: Rarity
  private let leastLetters: Int
  /// The texts that a word stands in, and what it counts there, in vectors of length 1.
  private let places: [String: [(document: Int, weight: Double)]]

  /// - Parameters:
  ///   - documents: the texts.
  ///   - rarity: how rare words are.
  ///   - leastLetters: shorter words do not count; scikit-learn's are 2.
  public init(_ documents: [String], rarity: Rarity = .plain, leastLetters: Int = 1) {
    (count, self.rarity, self.leastLetters) = (documents.count, rarity, leastLetters)
    var found: [String: [(document: Int, weight: Double)]] = [:]
    for (number, document) in documents.enumerated() {
      for (word, count) in Self.counts(Self.words(of: document, least: leastLetters)) {
        found[word, default: []].append((number, Double(count)))
      }
    }
    var squares = [Double](repeating: 0, count: documents.count)
    // In one order, so that sums are the same each time.
    let words = found.keys.sorted()
    for word in words {
      let factor = Self.rarity(found[word]!.count, of: documents.count, rarity)
      for index in found[word]!.indices {
        found[word]![index].weight *= factor
        let (number, weight) = found[word]![index]
        squares[number] += weight * weight
      }
    }
    for word in words {
      for index in found[word]!.indices where squares[found[word]![index].document] > 0 {
        found[word]![index].weight /= squares[found[word]![index].document].squareRoot()
      }
    }
    places = found
  }

  /// The words of a text in small letters: stretches of letters, their marks, numbers and low lines.
  public static func words(of text: String, least: Int = 1) -> [String] {
    text.lowercased().unicodeScalars.split { scalar in
      let properties = scalar.properties
      switch properties.generalCategory {
      case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
        .nonspacingMark, .spacingMark, .decimalNumber, .letterNumber, .otherNumber:
        return false
      default: return scalar != "_"
      }
    }.filter { $0.count >= least }.map { String(String.UnicodeScalarView($0)) }
  }

  /// How rare a word is; 0 for a word of no text.
  public func rarity(of word: String) -> Double {
    places[word.lowercased()].map { Self.rarity($0.count, of: count, rarity) } ?? 0
  }

  /// The texts that have words of a query, the most similar first, of equals the first.
  public func search(_ query: String, count most: Int = 10) -> [Match] {
    let wanted = Self.counts(Self.words(of: query, least: leastLetters)).sorted { $0.key < $1.key }
    var (scores, square) = ([Int: Double](), 0.0)
    for (word, number) in wanted {
      guard let found = places[word] else { continue }
      let weight = Double(number) * Self.rarity(found.count, of: count, rarity)
      square += weight * weight
      for place in found { scores[place.document, default: 0] += weight * place.weight }
    }
    let length = square.squareRoot()
    let matches = scores.filter { $0.value > 0 }.map { place, score in
      Match(document: place, similarity: score / length)
    }
    let ranked = matches.sorted { one, other in
      one.similarity == other.similarity
        ? one.document < other.document : one.similarity > other.similarity
    }
    return Array(ranked.prefix(max(most, 0)))
  }

  /// The words of a query that no text has.
  public func unknownWords(of query: String) -> [String] {
    var known = Set<String>()
    return Self.words(of: query, least: leastLetters).filter {
      places[$0] == nil && known.insert($0).inserted
    }
  }

  private static func counts(_ words: [String]) -> [String: Int] {
    words.reduce(into: [:]) { $0[$1, default: 0] += 1 }
  }

  private static func rarity(_ having: Int, of count: Int, _ rarity: Rarity) -> Double {
    switch rarity {
    case .plain: log(Double(count) / Double(having))
    case .smooth: log(Double(1 + count) / Double(1 + having)) + 1
    }
  }
}
