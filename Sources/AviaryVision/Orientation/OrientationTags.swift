/// Where pictures of all formats state how the camera was held: an EXIF block, or an XMP packet.
extension Orientation {
  /// Of an EXIF block: a TIFF structure, whose first directory has entries of 12 bytes, each tag, type, count and value. Nil when it
  /// states no orientation, or none that there is.
  init?(exif block: UnsafeRawBufferPointer) {
    // Inside of a JPEG the structure has a name before it, which some writers keep elsewhere.
    let hasName = block.starts(with: Self.exifName)
    let tiff = UnsafeRawBufferPointer(rebasing: hasName ? block[Self.exifName.count...] : block[...])
    guard tiff.count >= 8 else { return nil }
    let isLittleEndian: Bool
    switch (tiff[0], tiff[1]) {
    case (0x49, 0x49): isLittleEndian = true
    case (0x4D, 0x4D): isLittleEndian = false
    default: return nil
    }
    func number(at offset: Int, bytes: Int) -> Int? {
      guard offset + bytes <= tiff.count else { return nil }
      return (0..<bytes).reduce(0) { sum, index in
        sum << 8 | Int(tiff[offset + (isLittleEndian ? bytes - 1 - index : index)])
      }
    }
    guard let directory = number(at: 4, bytes: 4), let count = number(at: directory, bytes: 2) else {
      return nil
    }
    for entry in 0..<count {
      let offset = directory + 2 + 12 * entry
      guard let tag = number(at: offset, bytes: 2) else { return nil }
      guard tag == 0x0112 else { continue }
      // The standard wants the second of these types; the value begins where the entry's last four bytes do, whatever its size.
      let sizes = [1: 1, 3: 2, 4: 4, 6: 1, 8: 2, 9: 4]
      guard let type = number(at: offset + 2, bytes: 2), let size = sizes[type],
        number(at: offset + 4, bytes: 4) == 1, let value = number(at: offset + 8, bytes: size)
      else { return nil }
      self.init(rawValue: value)
      return
    }
    return nil
  }

  static let exifName: [UInt8] = [0x45, 0x78, 0x69, 0x66, 0, 0]

  /// Of an XMP packet: `tiff:Orientation` as an attribute (`="6"`) or as an element (`>6<`).
  init?(xmp packet: UnsafeRawBufferPointer) {
    let name = Array("tiff:Orientation".utf8)
    var rest = packet[...]
    while let start = rest.firstRange(of: name) {
      rest = rest[start.upperBound...]
      let value = rest.prefix(16).filter { !Self.blanks.contains($0) }
      let isAttribute = value.starts(with: "=\"".utf8) || value.starts(with: "='".utf8)
      guard isAttribute || value.starts(with: ">".utf8) else { continue }
      guard let digit = value.dropFirst(isAttribute ? 2 : 1).first, (0x30...0x39).contains(digit) else {
        continue
      }
      self.init(rawValue: Int(digit) - 0x30)
      return
    }
    return nil
  }

  private static let blanks: Set<UInt8> = [0x20, 0x09, 0x0A, 0x0D]
}

extension Collection<UInt8> {
  /// Where `bytes` first occur.
  fileprivate func firstRange(of bytes: [UInt8]) -> Range<Index>? {
    var start = startIndex
    while let next = self[start...].firstIndex(of: bytes[0]) {
      if self[next...].starts(with: bytes) { return next..<index(next, offsetBy: bytes.count) }
      start = index(after: next)
    }
    return nil
  }
}
