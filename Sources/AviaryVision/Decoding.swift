import AviaryTensors

extension Image {
  /// The picture in a PNG, JPEG, WebP, GIF, BMP or TIFF file, told apart by its first bytes; throws ``ImageError``. Of a film the first
  /// frame is read, of a document the first page.
  ///
  /// The pixels are Pillow's: grey stays grey and everything else becomes RGB, palettes are looked up, 16-bit values
  /// keep their upper half, an alpha channel is dropped (not blended), colour profiles and gamma are not applied, CMYK
  /// is taken as Adobe writes it (inverted), and a picture is turned as its EXIF or XMP orientation says.
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
      Result { () throws(ImageError) in try Image(PictureSource(bytes: bytes, name: path)) }
    }
    self = try decoded.get()
  }

  /// As ``init(contentsOf:)`` for bytes that are in memory; `name` stands for the file in messages.
  public init(decoding bytes: [UInt8], named name: String) throws(ImageError) {
    let decoded = bytes.withUnsafeBytes { bytes in
      Result { () throws(ImageError) in try Image(PictureSource(bytes: bytes, name: name)) }
    }
    self = try decoded.get()
  }

  /// Bytes at the start of a file that tell whether it can be read.
  public static let startLength = 12

  /// Whether a file that begins so is of a format that is read.
  public static func isRecognised(_ start: [UInt8]) -> Bool {
    start.withUnsafeBytes { PictureFormat($0) != nil }
  }

  private init(_ source: PictureSource) throws(ImageError) {
    guard let format = PictureFormat(source.bytes) else { throw source.error(.unknownFormat) }
    switch format {
    case .png: self = try Self.png(source)
    case .jpeg: self = try Self.jpeg(source)
    case .webp: self = try Self.webp(source)
    case .gif: self = try Self.gif(source)
    case .bmp: self = try Self.bmp(source)
    case .tiff: self = try Self.tiff(source)
    }
  }
}

/// The formats that pictures are read in.
enum PictureFormat: CaseIterable {
  case png, jpeg, webp, gif, bmp, tiff

  /// The format whose files begin like `bytes`.
  init?(_ bytes: UnsafeRawBufferPointer) {
    guard let format = Self.allCases.first(where: { $0.begins(bytes) }) else { return nil }
    self = format
  }

  private func begins(_ bytes: UnsafeRawBufferPointer) -> Bool {
    switch self {
    case .png: bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
    case .jpeg: bytes.starts(with: [0xFF, 0xD8, 0xFF])
    case .webp: bytes.starts(with: "RIFF".utf8) && bytes.dropFirst(8).starts(with: "WEBP".utf8)
    case .gif: bytes.starts(with: "GIF87a".utf8) || bytes.starts(with: "GIF89a".utf8)
    case .bmp: bytes.starts(with: "BM".utf8)
    case .tiff:
      // The last two are BigTIFF's.
      [[0x49, 0x49, 42, 0], [0x4D, 0x4D, 0, 42], [0x49, 0x49, 43, 0], [0x4D, 0x4D, 0, 43]].contains {
        bytes.starts(with: $0)
      }
    }
  }
}
