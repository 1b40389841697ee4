import AviaryTensors
import CJPEG
import CPNG

extension Image {
  /// The picture in a PNG or JPEG file, told apart by its first bytes; throws ``ImageError``.
  ///
  /// The pixels are Pillow's: grey stays grey and everything else becomes RGB, palettes are looked up, 16-bit values
  /// keep their upper half, an alpha channel is dropped (not blended), colour profiles and gamma are not applied, CMYK
  /// is taken as Adobe writes it (inverted), and a JPEG is turned as its EXIF orientation says.
  public init(contentsOf path: String) throws(ImageError) {
    let file: MappedFile
    do {
      file = try MappedFile(path: path)
    } catch let failure as MappedFile.Failure {
      throw ImageError(file: path, .unreadable(failure.reason))
    } catch {
      throw ImageError(file: path, .unreadable(String(describing: error)))
    }
    let decoded = file.withBytes { bytes in
      Result { () throws(ImageError) in try Image(bytes, named: path) }
    }
    self = try decoded.get()
  }

  /// As ``init(contentsOf:)`` for bytes that are in memory; `name` stands for the file in messages.
  public init(decoding bytes: [UInt8], named name: String) throws(ImageError) {
    let decoded = bytes.withUnsafeBytes { bytes in
      Result { () throws(ImageError) in try Image(bytes, named: name) }
    }
    self = try decoded.get()
  }

  private init(_ bytes: UnsafeRawBufferPointer, named name: String) throws(ImageError) {
    if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
      self = try Self.png(bytes, name)
    } else if bytes.starts(with: [0xFF, 0xD8, 0xFF]) {
      self = Orientation(jpeg: bytes).applied(to: try Self.jpeg(bytes, name))
    } else {
      throw ImageError(file: name, .unknownFormat)
    }
  }

  /// Refuses a size before memory is taken for it.
  private static func check(width: UInt32, height: UInt32, _ name: String) throws(ImageError) {
    let (pixelCount, overflow) = Int(width).multipliedReportingOverflow(by: Int(height))
    guard !overflow, pixelCount <= maximumPixelCount else {
      throw ImageError(file: name, .tooLarge(width: Int(width), height: Int(height)))
    }
    guard pixelCount > 0 else { throw ImageError(file: name, .damaged("it has no pixels")) }
  }

  private static func png(_ bytes: UnsafeRawBufferPointer, _ name: String) throws(ImageError) -> Image {
    let source = bytes.bindMemory(to: UInt8.self)
    var header = aviary_png()
    header.bytes = source.baseAddress
    header.remaining = source.count
    var state = header
    guard aviary_png_read(&state, nil) == 0 else {
      throw ImageError(file: name, .damaged(text(state.message)))
    }
    try check(width: state.width, height: state.height, name)
    let (width, height) = (Int(state.width), Int(state.height))
    // Deflate makes at most 1032 bytes of one, and a pixel takes at least one bit.
    guard width * height / (8 * 1032) <= source.count else {
      let reason = "\(source.count) bytes are too few for \(width)×\(height) pixels"
      throw ImageError(file: name, .damaged(reason))
    }
    let model: Model = state.channels == 1 ? .grey : .rgb
    var pixels = [UInt8](repeating: 0, count: width * height * model.channelCount)
    state = header
    guard pixels.withUnsafeMutableBufferPointer({ aviary_png_read(&state, $0.baseAddress) }) == 0 else {
      throw ImageError(file: name, .damaged(text(state.message)))
    }
    return Image(width: width, height: height, model: model, pixels: pixels)
  }

  private static func jpeg(_ bytes: UnsafeRawBufferPointer, _ name: String) throws(ImageError) -> Image {
    let source = bytes.bindMemory(to: UInt8.self)
    var state = aviary_jpeg()
    guard aviary_jpeg_read(&state, source.baseAddress, source.count, nil) == 0 else {
      throw ImageError(file: name, .damaged(text(state.message)))
    }
    try check(width: state.width, height: state.height, name)
    let (width, height, channels) = (Int(state.width), Int(state.height), Int(state.channels))
    guard [1, 3, 4].contains(channels) else {
      throw ImageError(file: name, .unsupported("a JPEG picture of \(channels) components"))
    }
    var pixels = [UInt8](repeating: 0, count: width * height * channels)
    let status = pixels.withUnsafeMutableBufferPointer {
      aviary_jpeg_read(&state, source.baseAddress, source.count, $0.baseAddress)
    }
    guard status == 0 else { throw ImageError(file: name, .damaged(text(state.message))) }
    switch channels {
    case 1: return Image(width: width, height: height, model: .grey, pixels: pixels)
    case 3: return Image(width: width, height: height, model: .rgb, pixels: pixels)
    default: return Image(width: width, height: height, model: .rgb, pixels: rgb(invertedCMYK: pixels))
    }
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

/// The C string in a fixed array of characters, which Swift sees as a tuple.
func text<Characters>(_ characters: Characters) -> String {
  withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
}
