import AviaryTensors

/// A file of words with a vector each, in one of the two formats of the C program `word2vec`. What the words and numbers are is looked at by whoever
/// uses them; that the file holds what it says is checked here.
public struct WordVectorFile: Sendable {
  /// The words in their order.
  public let words: [String]
  /// D, the numbers of a vector.
  public let width: Int
  /// V·D numbers, vector after vector.
  public let values: [Float]

  /// Words with their vectors, one after another in `values`.
  public init(words: [String], width: Int, values: [Float]) {
    require(
      width > 0 && values.count == words.count * width,
      "\(values.count) numbers for \(words.count) words with vectors of \(width)")
    (self.words, self.width, self.values) = (words, width, values)
  }

  /// The two formats of the C program `word2vec`. Both begin with a line of two numbers, V words and D numbers of a vector.
  public enum Format: String, Sendable, Hashable, CaseIterable {
    /// Then, for each word, the word, a space, D float32 with the lowest byte first, and a line's end.
    case binary
    /// Then a line for each word, the word and D decimal numbers with spaces between them.
    case text
  }

  /// No word of a real vocabulary is longer; what has more is damaged.
  private static let longestWord = 4096
  /// No real header has more bytes.
  private static let longestHeader = 64
  /// The widest vectors that are read.
  private static let widest = 1 << 16

  /// Reads vectors in either format: a file is binary unless all of it is lines of words and numbers.
  ///
  /// - Throws: ``WeightsError`` naming the file when it cannot be read, is cut off, or is another kind of file.
  public init(contentsOf path: String) throws {
    self = try naming(path) { try MappedFile(path: path).withBytes { try WordVectorFile($0) } }
  }

  private init(_ bytes: UnsafeRawBufferPointer) throws(WeightsError) {
    let (count, width, start) = try Self.header(bytes)
    // What a header claims is believed as far as the file can hold it: a word, a space, and a number or its bytes take two at least.
    guard count <= bytes.count / 2, width <= bytes.count / 2, count <= bytes.count / (2 * max(width, 1)) + 1
    else {
      throw WeightsError(
        .malformed,
        "the header says \(count) words with vectors of \(width), for which a file of \(bytes.count) bytes has no room"
      )
    }
    let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
    let (words, values) =
      Self.isText(rest)
      ? try Self.text(rest, count, width) : try Self.binary(rest, count, width)
    self.init(words: words, width: width, values: values)
  }

  /// The first line: V, D and where the rest begins.
  private static func header(
    _ bytes: UnsafeRawBufferPointer
  ) throws(WeightsError) -> (count: Int, width: Int, start: Int) {
    guard let end = bytes.prefix(longestHeader).firstIndex(of: 0x0A) else {
      throw WeightsError(.malformed, "there is no first line of two numbers: these are no vectors of words")
    }
    let line = String(decoding: bytes[..<end], as: UTF8.self)
    let parts = line.split(separator: " ").map { $0.filter { $0 != "\r" } }
    guard parts.count == 2, let count = Int(parts[0]), let width = Int(parts[1]), count > 0,
      1...widest ~= width
    else {
      throw WeightsError(
        .malformed,
        "the first line is \"\(line.shown)\", expected the number of words and that of a vector's numbers")
    }
    return (count, width, end + 1)
  }

  /// Whether the first line behind the header is one of a text file: a word and numbers in letters.
  private static func isText(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let space = bytes.prefix(longestWord + 1).firstIndex(of: 0x20) else { return false }
    let line = bytes[(space + 1)...].prefix { $0 != 0x0A }
    return !line.isEmpty
      && line.allSatisfy { byte in
        byte == 0x20 || byte == 0x0D || byte == 0x2B || byte == 0x2D || byte == 0x2E || 0x30...0x39 ~= byte
          || byte == 0x65 || byte == 0x45 || "naifNAIF".utf8.contains(byte)
      }
  }

  private static func binary(
    _ bytes: UnsafeRawBufferPointer, _ count: Int, _ width: Int
  ) throws(WeightsError) -> ([String], [Float]) {
    var (words, values, place): ([String], [Float], Int) = ([], [], 0)
    for number in 1...count {
      // The C program ends a vector with a line's end, which some others leave out.
      if place < bytes.count, bytes[place] == 0x0A { place += 1 }
      guard let space = bytes[place...].prefix(longestWord + 1).firstIndex(of: 0x20),
        bytes.count - space - 1 >= 4 * width
      else {
        throw WeightsError(.truncated, "the file ends, or makes no sense, in word \(number) of \(count)")
      }
      words.append(try word(bytes[place..<space], number))
      for index in 0..<width {
        let bits = bytes.loadUnaligned(fromByteOffset: space + 1 + 4 * index, as: UInt32.self)
        values.append(Float(bitPattern: UInt32(littleEndian: bits)))
      }
      place = space + 1 + 4 * width
    }
    if place < bytes.count, bytes[place] == 0x0A { place += 1 }
    guard place == bytes.count else {
      throw WeightsError(
        .malformed,
        "\(bytes.count - place) bytes follow the last of the \(count) words that the header says")
    }
    return (words, values)
  }

  private static func text(
    _ bytes: UnsafeRawBufferPointer, _ count: Int, _ width: Int
  ) throws(WeightsError) -> ([String], [Float]) {
    var (words, values): ([String], [Float]) = ([], [])
    for line in bytes.split(separator: 0x0A) {
      let number = words.count + 1
      let parts = line.split(whereSeparator: { $0 == 0x20 || $0 == 0x0D })
      if parts.isEmpty { continue }
      guard number <= count else {
        throw WeightsError(.malformed, "there are more words than the \(count) that the header says")
      }
      guard parts.count == width + 1 else {
        throw WeightsError(
          .malformed,
          "word \(number) of \(count) has a vector of \(parts.count - 1) numbers, expected \(width)")
      }
      words.append(try word(parts[0], number))
      for part in parts.dropFirst() {
        let text = String(decoding: part, as: UTF8.self)
        guard let value = Float(text) else {
          throw WeightsError(.malformed, "word \(number) has \"\(text.shown)\" where a number is expected")
        }
        values.append(value)
      }
    }
    guard words.count == count else {
      throw WeightsError(
        .truncated, "the file ends after \(words.count) of the \(count) words that the header says")
    }
    return (words, values)
  }

  private static func word(
    _ bytes: some Collection<UInt8>, _ number: Int
  ) throws(WeightsError) -> String {
    guard let word = String(validating: bytes, as: UTF8.self) else {
      throw WeightsError(.malformed, "word \(number) is no text in UTF-8")
    }
    return word
  }

  /// Writes a file, complete or not at all. In text each number has the digits that it takes to read the same one again.
  ///
  /// - Throws: ``WeightsError`` when it cannot be written.
  public func write(to path: String, as format: Format = .binary) throws {
    try AtomicFile.write(to: path) { file in
      try file.append(Array("\(words.count) \(width)\n".utf8))
      for (place, word) in words.enumerated() {
        let vector = values[place * width..<(place + 1) * width]
        var line = Array("\(word) ".utf8)
        switch format {
        case .binary:
          for value in vector {
            withUnsafeBytes(of: value.bitPattern.littleEndian) { line += $0 }
          }
        case .text: line += vector.map { "\($0)" }.joined(separator: " ").utf8
        }
        try file.append(line + [0x0A])
      }
    }
  }
}
