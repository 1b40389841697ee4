import AviaryTensors
import AviaryWeights

/// A vector for each word of a vocabulary, so that words used alike lie in like directions (Mikolov et al. 2013, "Efficient Estimation of Word
/// Representations in Vector Space", arXiv:1301.3781).
///
///     let vectors = try WordVectors(contentsOf: "vectors.bin")
///     for word in try vectors.nearest(to: "king", count: 5) { print(word.word, word.similarity) }
public struct WordVectors: Sendable, Hashable {
  /// The words, each once; the position of each is the row of its vector.
  public let words: [String]
  /// D, the numbers of a vector.
  public let width: Int
  /// V·D numbers, vector after vector.
  public let values: [Float]
  private let places: [String: Int]

  /// Words with their vectors, one after another in `values`.
  ///
  /// - Throws: ``UnsuitableVectors`` where a word is there twice or empty, the numbers are not as many as there must be, or one is not finite.
  public init(words: [String], width: Int, values: [Float]) throws(UnsuitableVectors) {
    guard width > 0, values.count == words.count * width else {
      throw UnsuitableVectors("\(values.count) numbers are no vectors of \(width) for \(words.count) words")
    }
    var places: [String: Int] = [:]
    for (place, word) in words.enumerated() {
      guard !word.isEmpty, !word.utf8.contains(where: { $0 == 0x20 || $0 == 0x0A }) else {
        throw UnsuitableVectors("word \(place + 1) is empty, or has a space or a line's end in it")
      }
      if let other = places.updateValue(place, forKey: word) {
        throw UnsuitableVectors("the word \"\(word.shown)\" is there twice, as \(other + 1) and \(place + 1)")
      }
    }
    if let place = values.firstIndex(where: { !$0.isFinite }) {
      throw UnsuitableVectors(
        "the vector of \"\(words[place / width].shown)\" has the number \(values[place]) in it")
    }
    (self.words, self.width, self.values, self.places) = (words, width, values, places)
  }

  /// Reads what the C program `word2vec` writes, binary or text.
  ///
  /// - Throws: `WeightsError` naming the file when it cannot be read, is cut off, is another kind of file, or has words or numbers that cannot be.
  public init(contentsOf path: String) throws {
    let file = try WordVectorFile(contentsOf: path)
    do throws(UnsuitableVectors) {
      try self.init(words: file.words, width: file.width, values: file.values)
    } catch {
      throw WeightsError(.malformed, error.description, file: path)
    }
  }

  /// Writes a file, complete or not at all. Throws `WeightsError` when it cannot be written.
  public func write(to path: String, as format: WordVectorFile.Format = .binary) throws {
    try WordVectorFile(words: words, width: width, values: values).write(to: path, as: format)
  }

  /// The vector of a word; nil where the vocabulary lacks it.
  public subscript(_ word: String) -> ArraySlice<Float>? {
    places[word].map { values[$0 * width..<($0 + 1) * width] }
  }

  /// A word, and the cosine of the angle between its vector and another.
  public struct Neighbour: Sendable, Hashable {
    /// The word.
    public let word: String
    /// From −1 to 1.
    public let similarity: Float
  }

  /// The words whose vectors have the smallest angles to that of a word, which is left out itself, the nearest first.
  ///
  /// - Throws: ``UnknownWord``.
  public func nearest(to word: String, count: Int = 10) throws(UnknownWord) -> [Neighbour] {
    let place = try self.place(word)
    return nearest(to: direction(place), count: count, without: [place])
  }

  /// Words d that are to `c` what `b` is to `a`: those nearest to b − a + c of the three's vectors of length 1, which are left out themselves
  /// (section 4 of the paper; as the C program's `word-analogy`).
  ///
  /// - Throws: ``UnknownWord``.
  public func analogy(
    _ a: String, _ b: String, _ c: String, count: Int = 10
  ) throws(UnknownWord) -> [Neighbour] {
    let places = (try place(a), try place(b), try place(c))
    let (first, second, third) = (direction(places.0), direction(places.1), direction(places.2))
    let sum = first.indices.map { second[$0] - first[$0] + third[$0] }
    return nearest(to: sum, count: count, without: [places.0, places.1, places.2])
  }

  /// The cosine of the angle between the vectors of two words. Throws ``UnknownWord``.
  public func similarity(_ one: String, _ other: String) throws(UnknownWord) -> Float {
    let (a, b) = (direction(try place(one)), direction(try place(other)))
    return zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }
  }

  private func place(_ word: String) throws(UnknownWord) -> Int {
    if let place = places[word] { return place }
    // The spelling of another case is the likeliest mistake.
    let other = [word.lowercased(), word.uppercased(), word.capitalized].first { places[$0] != nil }
    throw UnknownWord(word: word, count: words.count, other: other)
  }

  /// The vector with the length 1; zeros stay zeros.
  private func direction(_ place: Int) -> [Float] {
    values[place * width..<(place + 1) * width].withLength1
  }

  private func nearest(to wanted: [Float], count: Int, without left: Set<Int>) -> [Neighbour] {
    require(count > 0, "\(count) neighbours")
    let wanted = wanted[...].withLength1
    let scores = values.withUnsafeBufferPointer { values in
      words.indices.map { place in
        var (product, square) = (Float(0), Float(0))
        for index in 0..<width {
          let value = values[place * width + index]
          product += value * wanted[index]
          square += value * value
        }
        return square > 0 ? product / square.squareRoot() : 0
      }
    }
    // Of equals the first.
    let order = words.indices.filter { !left.contains($0) }
      .sorted { scores[$0] > scores[$1] || scores[$0] == scores[$1] && $0 < $1 }
    return order.prefix(count).map { Neighbour(word: words[$0], similarity: scores[$0]) }
  }
}

/// What was given as words and vectors contradicts itself.
public struct UnsuitableVectors: Error, Equatable, CustomStringConvertible {
  public let description: String

  init(_ description: String) { self.description = description }
}

/// There is no vector of a word.
public struct UnknownWord: Error, Equatable, CustomStringConvertible {
  /// The word that was asked for.
  public let word: String
  /// How many words there are.
  public let count: Int
  /// The same word in another case, which there is.
  public let other: String?
  public var description: String {
    "there is no vector of \"\(word)\" among those of \(count) words"
      + (other.map { "; did you mean \($0)?" } ?? "")
  }
}

extension ArraySlice<Float> {
  fileprivate var withLength1: [Float] {
    let length = reduce(0) { $0 + $1 * $1 }.squareRoot()
    return length > 0 ? map { $0 / length } : Array(self)
  }
}
