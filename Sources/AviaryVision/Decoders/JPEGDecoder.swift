import CJPEG

extension Image {
  static func jpeg(_ source: PictureSource) throws(ImageError) -> Image {
    let bytes = source.bytes.bindMemory(to: UInt8.self)
    var state = aviary_jpeg()
    guard aviary_jpeg_read(&state, bytes.baseAddress, bytes.count, nil) == 0 else {
      throw source.damaged(text(state.message))
    }
    let (width, height, channels) = (Int(state.width), Int(state.height), Int(state.channels))
    try source.check(width: width, height: height)
    guard [1, 3, 4].contains(channels) else {
      throw source.error(.unsupported("a JPEG picture of \(channels) components"))
    }
    state.scan_limit = Int32(mostScans(of: width * height, in: bytes.count))
    let pixels = PictureSource.values(width * height * channels) { target in
      aviary_jpeg_read(&state, bytes.baseAddress, bytes.count, target) == 0
    }
    guard let pixels else { throw source.damaged(text(state.message)) }
    let image =
      switch channels {
      case 1: Image(width: width, height: height, model: .grey, pixels: pixels)
      case 3: Image(width: width, height: height, model: .rgb, pixels: pixels)
      default: Image(width: width, height: height, model: .rgb, pixels: rgb(invertedCMYK: pixels))
      }
    return Orientation(jpeg: source.bytes).applied(to: image)
  }

  /// How often a progressive file may go over its picture, which costs time and need not cost bytes: 2³⁰ pixels in all (a third of a
  /// second) and 4096 for each byte. Usual files have ten scans, the standard allows some thousand.
  static func mostScans(of pixelCount: Int, in byteCount: Int) -> Int {
    min(max(((1 << 30) + 4096 * byteCount) / pixelCount, 1), 500)
  }

  /// Removes ink from white: each colour is the paper that cyan, magenta or yellow leave of what black leaves.
  private static func rgb(invertedCMYK pixels: [UInt8]) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: pixels.count / 4 * 3) { target, initialized in
      for index in 0..<pixels.count / 4 {
        let white = Int(pixels[4 * index + 3])
        for channel in 0..<3 {
          let product = (255 - Int(pixels[4 * index + channel])) * white + 128
          target[3 * index + channel] = UInt8(max(white - ((product >> 8) + product) >> 8, 0))
        }
      }
      initialized = pixels.count / 4 * 3
    }
  }
}
