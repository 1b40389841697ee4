/// The words that GPT-2 cuts a text into before it looks for pairs of bytes, none of which reach beyond one: together they are the text.
///
/// OpenAI's rule, in the order in which its alternatives are tried: `'s`, `'t`, `'re`, `'ve`, `'m`, `'ll`, `'d`; letters, numbers, or other
/// signs, each with a space before them or without; white space, of which the last sign is left to what follows, where something does and
/// there is more than one. Letters and numbers are Unicode's categories L and N, white space its property of that name.
struct PairWords: Sequence, IteratorProtocol {
  private var rest: Substring.UnicodeScalarView

  init(_ text: Substring.UnicodeScalarView) { rest = text }

  private enum Kind {
    case space, letter, number, sign

    init(_ scalar: Unicode.Scalar) {
      let properties = scalar.properties
      switch properties.generalCategory {
      case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: self = .letter
      case .decimalNumber, .letterNumber, .otherNumber: self = .number
      default: self = properties.isWhitespace ? .space : .sign
      }
    }
  }

  private static let contractions = ["s", "t", "re", "ve", "m", "ll", "d"].map { Array($0.unicodeScalars) }

  mutating func next() -> Substring.UnicodeScalarView? {
    guard let first = rest.first else { return nil }
    let word = rest[..<end(first)]
    rest = rest[word.endIndex...]
    return word
  }

  private func end(_ first: Unicode.Scalar) -> Substring.UnicodeScalarView.Index {
    let second = rest.index(after: rest.startIndex)
    if first == "'", let letters = Self.contractions.first(where: { rest[second...].starts(with: $0) }) {
      return rest.index(second, offsetBy: letters.count)
    }
    // What may begin with one space, and with no other white space.
    let start = first == " " ? second : rest.startIndex
    if start < rest.endIndex {
      let kind = Kind(rest[start])
      if kind != .space { return rest[start...].firstIndex { Kind($0) != kind } ?? rest.endIndex }
    }
    guard let end = rest.firstIndex(where: { Kind($0) != .space }) else { return rest.endIndex }
    let last = rest.index(before: end)
    return last > rest.startIndex ? last : end
  }
}
