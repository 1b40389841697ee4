/// How GPT-2's vocabulary writes bytes as characters that can be seen: 33 to 126, 161 to 172 and 174 to 255 as the characters of these numbers, the
/// other 68 in their order as U+0100 and those after it. A space is Ġ.
enum ByteAlphabet {
  /// By byte.
  private static let characters: [Unicode.Scalar] = {
    var next: UInt32 = 0x100
    return (UInt8.min...UInt8.max).map { byte in
      if 33...126 ~= byte || 161...172 ~= byte || 174...255 ~= byte { return Unicode.Scalar(byte) }
      defer { next += 1 }
      // All of these are below the surrogates.
      return Unicode.Scalar(next)!
    }
  }()

  private static let numbers = Dictionary(
    uniqueKeysWithValues: zip(characters, UInt8.min...UInt8.max).map { ($0, $1) })

  /// The bytes that a text of the vocabulary stands for; nil where one of its characters stands for none.
  static func bytes(of text: String) -> [UInt8]? {
    let bytes = text.unicodeScalars.map { numbers[$0] }
    let known = bytes.compactMap(\.self)
    return known.count == bytes.count ? known : nil
  }

  /// Bytes as the vocabulary writes them.
  static func text(of bytes: [UInt8]) -> String {
    String(String.UnicodeScalarView(bytes.map { characters[Int($0)] }))
  }
}
