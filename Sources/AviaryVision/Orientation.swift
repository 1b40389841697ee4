/// How a camera was held: the EXIF tag 0x0112 and what undoes it.
enum Orientation: Int {
  case upright = 1
  case mirrored, upsideDown, mirroredUpsideDown, transposed, rightSideUp, transverse, leftSideUp

  /// True when rows become columns.
  private var swapsAxes: Bool { rawValue >= 5 }

  /// The picture as it was seen.
  func applied(to image: Image) -> Image {
    if self == .upright { return image }
    let (width, height) = swapsAxes ? (image.height, image.width) : (image.width, image.height)
    let channels = image.channelCount
    return Image(width: width, height: height, model: image.model) { target in
      for y in 0..<height {
        for x in 0..<width {
          let (column, row) = source(x, y, width, height)
          let from = (row * image.width + column) * channels
          let to = (y * width + x) * channels
          for channel in 0..<channels { target[to + channel] = image.pixels[from + channel] }
        }
      }
    }
  }

  /// The stored column and row of the pixel that is seen at (x, y) of `width`×`height` pixels.
  private func source(_ x: Int, _ y: Int, _ width: Int, _ height: Int) -> (column: Int, row: Int) {
    switch self {
    case .upright: (x, y)
    case .mirrored: (width - 1 - x, y)
    case .upsideDown: (width - 1 - x, height - 1 - y)
    case .mirroredUpsideDown: (x, height - 1 - y)
    case .transposed: (y, x)
    case .rightSideUp: (y, width - 1 - x)
    case .transverse: (height - 1 - y, width - 1 - x)
    case .leftSideUp: (height - 1 - y, x)
    }
  }
}

extension Orientation {
  /// The orientation that the EXIF block of a JPEG file states, upright when it states none that can be read.
  init(jpeg bytes: UnsafeRawBufferPointer) {
    self = Self.exif(in: bytes).flatMap(Self.tag) ?? .upright
  }

  /// The TIFF structure inside the first APP1 segment that holds EXIF data.
  private static func exif(in bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
    var position = 2
    while position + 4 <= bytes.count, bytes[position] == 0xFF {
      let marker = bytes[position + 1]
      if marker == 0xFF {  // fill byte
        position += 1
        continue
      }
      let length = Int(bytes[position + 2]) << 8 | Int(bytes[position + 3])
      guard marker != 0xDA, length >= 2, position + 2 + length <= bytes.count else { return nil }
      let content = UnsafeRawBufferPointer(rebasing: bytes[position + 4..<position + 2 + length])
      if marker == 0xE1, content.starts(with: [0x45, 0x78, 0x69, 0x66, 0, 0]) {
        return UnsafeRawBufferPointer(rebasing: content[6...])
      }
      position += 2 + length
    }
    return nil
  }

  /// Looks through the first directory of a TIFF structure: entries of 12 bytes, each tag, type, count, value.
  private static func tag(in tiff: UnsafeRawBufferPointer) -> Orientation? {
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
      if tag == 0x0112 { return number(at: offset + 8, bytes: 2).flatMap(Orientation.init(rawValue:)) }
    }
    return nil
  }
}
