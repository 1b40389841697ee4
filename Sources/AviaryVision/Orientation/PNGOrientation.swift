import CZlib

extension Orientation {
  /// What the chunks of a PNG state, before the pixels or behind them: `eXIf`; the text in which ImageMagick keeps EXIF data; or an XMP
  /// packet.
  init(png bytes: UnsafeRawBufferPointer) {
    var (exif, profile, xmp): (Orientation?, Orientation?, Orientation?)
    var position = 8
    while position + 12 <= bytes.count {
      let length = (0..<4).reduce(0) { $0 << 8 | Int(bytes[position + $1]) }
      guard length <= bytes.count - position - 12 else { break }
      let content = UnsafeRawBufferPointer(rebasing: bytes[position + 8..<position + 8 + length])
      let kind = String(decoding: bytes[position + 4..<position + 8], as: UTF8.self)
      if kind == "eXIf", exif == nil {
        exif = Orientation(exif: content)
      } else if let text = PNGText(kind, content) {
        if profile == nil, ["Raw profile type exif", "Raw profile type APP1"].contains(text.keyword) {
          profile = text.rawProfile().withUnsafeBytes { Orientation(exif: $0) }
        } else if xmp == nil, text.keyword == "XML:com.adobe.xmp" {
          xmp = text.bytes().withUnsafeBytes { Orientation(xmp: $0) }
        }
      }
      position += 12 + length
    }
    self = exif ?? profile ?? xmp ?? .upright
  }
}

/// A text chunk of a PNG: `tEXt` plain, `zTXt` compressed, `iTXt` as its flag says.
private struct PNGText {
  let keyword: String
  private let content: Slice<UnsafeRawBufferPointer>
  private let isCompressed: Bool

  /// Text that is longer than this is cut off: the orientation stands at the beginning.
  private static let longest = 1 << 18

  init?(_ kind: String, _ chunk: UnsafeRawBufferPointer) {
    guard ["tEXt", "zTXt", "iTXt"].contains(kind), let end = chunk.prefix(80).firstIndex(of: 0) else {
      return nil
    }
    keyword = String(decoding: chunk[..<end], as: UTF8.self)
    var rest = chunk[(end + 1)...]
    switch kind {
    case "tEXt": isCompressed = false
    case "zTXt":
      isCompressed = true
      rest = rest.dropFirst()  // the method, of which there is one
    default:
      guard rest.count >= 2 else { return nil }
      isCompressed = rest[rest.startIndex] == 1
      // Flag and method, then the language and the keyword in it, each up to a zero.
      rest = rest.dropFirst(2)
      for _ in 0..<2 {
        guard let end = rest.firstIndex(of: 0) else { return nil }
        rest = rest[(end + 1)...]
      }
    }
    content = rest
  }

  /// The text, as far as it can be decompressed.
  func bytes() -> [UInt8] {
    guard isCompressed else { return Array(content.prefix(Self.longest)) }
    let source = UnsafeRawBufferPointer(rebasing: content).bindMemory(to: UInt8.self)
    var target = [UInt8](repeating: 0, count: Self.longest)
    var count = UInt(target.count)
    let status = uncompress(&target, &count, source.baseAddress, UInt(source.count))
    // A longer text fills what there is room for.
    return status == Z_OK || status == Z_BUF_ERROR ? Array(target.prefix(Int(count))) : []
  }

  /// The bytes of a profile that ImageMagick wrote: its name, its length, and hexadecimal digits, in lines.
  func rawProfile() -> [UInt8] {
    let lines = bytes().split(separator: 0x0A, omittingEmptySubsequences: true)
    let digits = lines.dropFirst(2).joined().compactMap { Character(UnicodeScalar($0)).hexDigitValue }
    return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
  }
}
