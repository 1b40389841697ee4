import AviaryTensors
import Foundation

/// How much texts have in common with what people wrote, by sequences of one to four words (Papineni, Roukos, Ward & Zhu 2002, "BLEU: a
/// Method for Automatic Evaluation of Machine Translation").
///
/// Numbers are those of sacrebleu for a whole corpus: counts are clipped by the most that any reference has, of several references the one
/// closest in length counts (of two the shorter), and orders without a match count half as much each time ("exp" smoothing).
public struct BLEU: Sendable {
  /// The longest sequence that counts.
  public static let longest = 4

  private var matched = [Int](repeating: 0, count: BLEU.longest)
  private var total = [Int](repeating: 0, count: BLEU.longest)
  private var length = 0
  private var referenceLength = 0

  /// Of no texts yet.
  public init() {}

  /// Counts a text.
  ///
  /// - Parameters:
  ///   - text: what was written, in words as ``WordSplitting`` has them.
  ///   - references: what people wrote, one or more, in words.
  public mutating func add(_ text: [String], references: [[String]]) {
    require(!references.isEmpty, "a text without references")
    let counts = Self.sequences(text)
    var most: [ArraySlice<String>: Int] = [:]
    for reference in references {
      for (sequence, count) in Self.sequences(reference) { most[sequence] = max(most[sequence] ?? 0, count) }
    }
    for (sequence, count) in counts {
      total[sequence.count - 1] += count
      matched[sequence.count - 1] += min(count, most[sequence] ?? 0)
    }
    length += text.count
    referenceLength +=
      references.map(\.count).min { (abs($0 - text.count), $0) < (abs($1 - text.count), $1) } ?? 0
  }

  /// How often each sequence of one to four words stands in a text.
  private static func sequences(_ words: [String]) -> [ArraySlice<String>: Int] {
    var counts: [ArraySlice<String>: Int] = [:]
    for start in words.indices {
      for length in 1...longest where start + length <= words.count {
        counts[words[start..<start + length], default: 0] += 1
      }
    }
    return counts
  }

  /// What texts are shortened by that are shorter than their references, from 0 to 1.
  public var brevityPenalty: Double {
    if length >= referenceLength { return 1 }
    return length == 0 ? 0 : exp(1 - Double(referenceLength) / Double(length))
  }

  /// From 0 to 100, by sequences of one to `order` words; 0 where nothing matched, or no text is as long.
  public func score(order: Int = BLEU.longest) -> Double {
    require(1...Self.longest ~= order, "sequences of \(order) words")
    guard matched[..<order].contains(where: { $0 > 0 }), !total[..<order].contains(0) else { return 0 }
    var smoothing = 1.0
    let logarithms = (0..<order).reduce(0.0) { sum, place in
      if matched[place] > 0 { return sum + log(100 * Double(matched[place]) / Double(total[place])) }
      smoothing *= 2
      return sum + log(100 / (smoothing * Double(total[place])))
    }
    return brevityPenalty * exp(logarithms / Double(order))
  }
}

/// How a text is cut into words for ``BLEU``.
public enum WordSplitting: String, Sendable, CaseIterable {
  /// mteval-v13a's rules, as sacrebleu has them by default: punctuation stands alone, but not the points and commas of numbers.
  case mteval = "13a"
  /// At white space alone.
  case none

  /// The words of a text.
  public func callAsFunction(_ text: String) -> [String] {
    guard self == .mteval else { return Self.split(Array(text.unicodeScalars)) }
    var line = text.replacing("<skipped>", with: "").replacing("-\n", with: "").replacing("\n", with: " ")
    for (entity, character) in [("&quot;", "\""), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")] {
      line = line.replacing(entity, with: character)
    }
    var scalars: [Unicode.Scalar] = [" "] + Array(line.unicodeScalars) + [" "]
    scalars = scalars.flatMap { Self.isPunctuation($0) ? [" ", $0, " "] : [$0] }
    // Points and commas, but between digits; dashes behind one.
    scalars = Self.spaced(
      scalars, where: { !Self.isDigit($0) && Self.isPoint($1) }, as: { [$0, " ", $1, " "] })
    scalars = Self.spaced(
      scalars, where: { Self.isPoint($0) && !Self.isDigit($1) }, as: { [" ", $0, " ", $1] })
    scalars = Self.spaced(scalars, where: { Self.isDigit($0) && $1 == "-" }, as: { [$0, " ", $1, " "] })
    return Self.split(scalars)
  }

  private static func split(_ scalars: [Unicode.Scalar]) -> [String] {
    scalars.split { $0.properties.isWhitespace }.map { part in
      var word = String.UnicodeScalarView()
      word.append(contentsOf: part)
      return String(word)
    }
  }

  /// Two neighbours after another that are as asked for, replaced; from left to right, none of them twice.
  private static func spaced(
    _ scalars: [Unicode.Scalar], where fits: (Unicode.Scalar, Unicode.Scalar) -> Bool,
    as replacement: (Unicode.Scalar, Unicode.Scalar) -> [Unicode.Scalar]
  ) -> [Unicode.Scalar] {
    var result: [Unicode.Scalar] = []
    var place = 0
    while place < scalars.count {
      if place + 1 < scalars.count, fits(scalars[place], scalars[place + 1]) {
        result += replacement(scalars[place], scalars[place + 1])
        place += 2
      } else {
        result.append(scalars[place])
        place += 1
      }
    }
    return result
  }

  private static func isDigit(_ scalar: Unicode.Scalar) -> Bool { "0"..."9" ~= scalar }
  private static func isPoint(_ scalar: Unicode.Scalar) -> Bool { scalar == "." || scalar == "," }

  /// ASCII's, but for ' , - . which words may have inside.
  private static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "!"..."&", "("..."+", "/", ":"..."@", "["..."`", "{"..."~": true
    default: false
    }
  }
}
