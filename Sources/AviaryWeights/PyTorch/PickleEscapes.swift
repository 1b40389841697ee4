/// What stands for bytes and characters in the lines of protocol 0.
enum PickleEscapes {
  /// A text in Python's `raw-unicode-escape`: bytes are Latin-1, `\u` and four digits or `\U` and eight are other characters.
  ///
  /// Throws ``WeightsError`` for digits that are none, and for half a surrogate pair.
  static func text(_ bytes: UnsafeRawBufferPointer) throws -> String {
    // Python 2 writes what is beyond 16 bits as a pair of surrogates, as UTF-16 has it.
    var units: [UInt16] = []
    var place = 0
    while place < bytes.count {
      let count = bytes[place] == backslash && place + 1 < bytes.count ? digits[bytes[place + 1]] : nil
      guard let count else {
        units.append(UInt16(bytes[place]))
        place += 1
        continue
      }
      let end = place + 2 + count
      guard end <= bytes.count, let number = number(bytes[(place + 2)..<end]) else {
        throw PickleMachine.failure("a text has an escape that is none")
      }
      if let unit = UInt16(exactly: number) {
        units.append(unit)
      } else if let scalar = Unicode.Scalar(number) {
        units += Character(scalar).utf16
      } else {
        throw PickleMachine.failure("a text has the character \(number), which there is not")
      }
      place = end
    }
    guard let text = String(validating: units, as: UTF16.self) else {
      throw PickleMachine.failure("a text is not Unicode")
    }
    return text
  }

  private static let backslash = UInt8(ascii: "\\")
  private static let digits = [UInt8(ascii: "u"): 4, UInt8(ascii: "U"): 8]

  /// A text of Python 2 in quotes, with the escapes of its source code. Bytes that are no UTF-8 stay escaped.
  ///
  /// Throws ``WeightsError`` where quotes are missing or an escape is cut off.
  static func quotedText(_ line: UnsafeRawBufferPointer) throws -> String {
    guard line.count > 1, let quote = line.first, line.last == quote, quote == 0x27 || quote == 0x22 else {
      throw PickleMachine.failure("a text is not in quotes")
    }
    let content = UnsafeRawBufferPointer(rebasing: line[1..<(line.count - 1)])
    var bytes: [UInt8] = []
    var place = 0
    while place < content.count {
      guard content[place] == backslash else {
        bytes.append(content[place])
        place += 1
        continue
      }
      guard place + 1 < content.count else { throw PickleMachine.failure("an escape is cut off") }
      let code = content[place + 1]
      place += 2
      if code == UInt8(ascii: "x") {
        guard place + 2 <= content.count, let number = number(content[place..<(place + 2)]) else {
          throw PickleMachine.failure("a text has an escape that is none")
        }
        bytes.append(UInt8(number))
        place += 2
      } else {
        bytes.append(controls[code] ?? code)
      }
    }
    return String(validating: bytes, as: UTF8.self) ?? String(decoding: content, as: UTF8.self)
  }

  private static let controls: [UInt8: UInt8] = [
    UInt8(ascii: "n"): 0x0A, UInt8(ascii: "r"): 0x0D, UInt8(ascii: "t"): 0x09,
  ]

  /// A number of hexadecimal digits; nil where something is none.
  private static func number(_ digits: Slice<UnsafeRawBufferPointer>) -> UInt32? {
    digits.reduce(UInt32?(0)) { number, digit in
      guard let number, let value = Character(Unicode.Scalar(digit)).hexDigitValue else { return nil }
      return number << 4 | UInt32(value)
    }
  }
}
