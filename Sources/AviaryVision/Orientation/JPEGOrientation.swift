extension Orientation {
  /// What the segments before a JPEG's first scan state: the first with EXIF data, or else the first with an XMP packet.
  init(jpeg bytes: UnsafeRawBufferPointer) {
    let xmpName = Array("http://ns.adobe.com/xap/1.0/\0".utf8)
    var (exif, xmp): (Orientation?, Orientation?)
    var hasExif = false
    var position = 2
    while position + 4 <= bytes.count, bytes[position] == 0xFF {
      let marker = bytes[position + 1]
      if marker == 0xFF {  // fill byte
        position += 1
        continue
      }
      let length = Int(bytes[position + 2]) << 8 | Int(bytes[position + 3])
      guard marker != 0xDA, length >= 2, position + 2 + length <= bytes.count else { break }
      let content = UnsafeRawBufferPointer(rebasing: bytes[position + 4..<position + 2 + length])
      if marker == 0xE1, !hasExif, content.starts(with: Self.exifName) {
        hasExif = true
        exif = Orientation(exif: content)
      } else if marker == 0xE1, xmp == nil, content.starts(with: xmpName) {
        xmp = Orientation(xmp: UnsafeRawBufferPointer(rebasing: content[xmpName.count...]))
      }
      position += 2 + length
    }
    self = exif ?? xmp ?? .upright
  }
}
