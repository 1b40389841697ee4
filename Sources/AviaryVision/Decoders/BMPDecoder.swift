/// A Windows or OS/2 bitmap: a file header of 14 bytes, a header of a size that tells the version, masks or a palette, rows.
///
/// Debian has no maintained library that reads this format and little besides, and the format is small: numbers at fixed places.
/// Pictures of 1, 2, 4, 8, 16, 24 and 32 bits a pixel are read, plain, by masks, or with runs (RLE4, RLE8); alpha is dropped.
struct BMPDecoder {
  private enum Compression: Int {
    case none = 0
    case runs8, runs4, masks
    case masksWithAlpha = 6
  }

  private let source: PictureSource
  private let width: Int
  private let height: Int
  private let isTopDown: Bool
  private let bits: Int
  private let compression: Compression
  /// Red, green and blue of each index.
  private let palette: [[UInt8]]
  /// Which bits of a pixel are red, green and blue.
  private let masks: [UInt32]
  private let pixelStart: Int

  init(_ source: PictureSource) throws(ImageError) {
    self.source = source
    func number(_ offset: Int, _ count: Int) throws(ImageError) -> Int { try source.number(offset, count) }
    let headerSize = try number(14, 4)
    let isCore = headerSize == 12
    guard isCore || [16, 40, 52, 56, 64, 108, 124].contains(headerSize) else {
      throw source.error(.unsupported("a BMP header of \(headerSize) bytes"))
    }
    width = isCore ? try number(18, 2) : Int(Int32(truncatingIfNeeded: try number(18, 4)))
    let rows = isCore ? try number(20, 2) : Int(Int32(truncatingIfNeeded: try number(22, 4)))
    isTopDown = rows < 0
    height = abs(rows)
    bits = try number(isCore ? 24 : 28, 2)
    try source.check(width: width, height: height)

    let code = headerSize >= 40 ? try number(30, 4) : 0
    guard let compression = Compression(rawValue: code) else {
      throw source.error(.unsupported("BMP compression \(code)"))
    }
    self.compression = compression
    let fits =
      switch compression {
      case .none: [1, 2, 4, 8, 16, 24, 32].contains(bits)
      case .runs8: bits == 8 && !isTopDown
      case .runs4: bits == 4 && !isTopDown
      case .masks, .masksWithAlpha: bits == 16 || bits == 32
      }
    guard fits else { throw source.error(.unsupported("a BMP of \(bits) bits with compression \(code)")) }

    var position = 14 + headerSize
    switch compression {
    case .masks, .masksWithAlpha:
      masks = try [54, 58, 62].map { offset throws(ImageError) in UInt32(try number(offset, 4)) }
      // The oldest header has the masks behind it.
      if headerSize == 40 { position += compression == .masks ? 12 : 16 }
    case .none, .runs8, .runs4:
      masks = bits == 16 ? [0x7C00, 0x3E0, 0x1F] : [0xFF0000, 0xFF00, 0xFF]
    }
    pixelStart = try number(10, 4)
    palette = try Self.palette(source, at: position, isCore: isCore, bits: bits, headerSize: headerSize)
  }

  private static func palette(
    _ source: PictureSource, at position: Int, isCore: Bool, bits: Int, headerSize: Int
  ) throws(ImageError) -> [[UInt8]] {
    guard bits <= 8 else { return [] }
    let promised = headerSize >= 40 ? try source.number(46, 4) : 0
    let count = promised == 0 ? 1 << bits : promised
    guard count <= 256 else { throw source.damaged("a palette of \(count) colours") }
    let size = isCore ? 3 : 4
    guard position + size * count <= source.bytes.count else {
      throw source.damaged("its palette is cut off")
    }
    return (0..<count).map { index in
      (0..<3).map { source.bytes[position + size * index + 2 - $0] }
    }
  }

  func image() throws(ImageError) -> Image {
    let isGrey = !palette.isEmpty && palette.allSatisfy { $0[0] == $0[1] && $0[1] == $0[2] }
    let model: Image.Model = isGrey ? .grey : .rgb
    switch compression {
    case .runs4, .runs8:
      return colored(try BMPRuns(width: width, height: height, bits: bits).indices(source, pixelStart), model)
    case .none, .masks, .masksWithAlpha:
      let stride = (width * bits + 31) / 32 * 4
      guard pixelStart >= 0, pixelStart + stride * height <= source.bytes.count else {
        throw source.damaged("\(source.bytes.count) bytes are too few for \(width)×\(height) pixels")
      }
      return bits <= 8 ? colored(indices(stride), model) : direct(stride)
    }
  }

  /// The row of the file that holds row `y` of the picture: the last is stored first.
  private func storedRow(_ y: Int) -> Int { isTopDown ? y : height - 1 - y }

  private func indices(_ stride: Int) -> [UInt8] {
    let perByte = 8 / bits
    let mask = UInt8((1 << bits) - 1)
    var indices: [UInt8] = []
    indices.reserveCapacity(width * height)
    for y in 0..<height {
      let row = pixelStart + stride * storedRow(y)
      for x in 0..<width {
        let shift = 8 - bits * (x % perByte + 1)
        indices.append(source.bytes[row + x / perByte] >> UInt8(shift) & mask)
      }
    }
    return indices
  }

  /// Indices behind the palette are black.
  private func colored(_ indices: [UInt8], _ model: Image.Model) -> Image {
    let channels = model.channelCount
    let colors = palette + Array(repeating: [0, 0, 0], count: 256 - palette.count)
    return Image(width: width, height: height, model: model) { target in
      for (position, index) in indices.enumerated() {
        for channel in 0..<channels { target[channels * position + channel] = colors[Int(index)][channel] }
      }
    }
  }

  /// Pixels that hold their colours themselves, each in the bits of a mask, stretched to 0...255.
  private func direct(_ stride: Int) -> Image {
    let size = bits / 8
    let shifts = masks.map { UInt32($0.trailingZeroBitCount) }
    let largest = zip(masks, shifts).map { mask, shift in mask == 0 ? 0 : mask >> shift }
    return Image(width: width, height: height, model: .rgb) { target in
      var next = 0
      for y in 0..<height {
        let row = pixelStart + stride * storedRow(y)
        for x in 0..<width {
          var pixel: UInt32 = 0
          for byte in 0..<size { pixel |= UInt32(source.bytes[row + size * x + byte]) << UInt32(8 * byte) }
          for channel in 0..<3 where largest[channel] > 0 {
            let value = UInt64((pixel & masks[channel]) >> shifts[channel])
            target[next + channel] = UInt8(value * 255 / UInt64(largest[channel]))
          }
          for channel in 0..<3 where largest[channel] == 0 { target[next + channel] = 0 }
          next += 3
        }
      }
    }
  }
}

extension Image {
  static func bmp(_ source: PictureSource) throws(ImageError) -> Image { try BMPDecoder(source).image() }
}

extension PictureSource {
  /// A little-endian number; what lies behind the end is damage.
  fileprivate func number(_ offset: Int, _ count: Int) throws(ImageError) -> Int {
    guard offset >= 0, offset + count <= bytes.count else { throw damaged("its header is cut off") }
    return (0..<count).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) }
  }
}
