import AviaryTensors
import CJPEG
import CPNG
import Foundation

extension Image {
  /// How a picture is stored.
  public enum FileFormat: Sendable, Hashable {
    /// Without loss.
    case png
    /// `quality` in 1...100; colour is kept at half resolution, as is usual.
    case jpeg(quality: Int)

    /// By the ending of `path`; throws ``ImageError`` for another.
    public init(endingOf path: String, jpegQuality: Int = 95) throws(ImageError) {
      switch path.split(separator: ".").last?.lowercased() {
      case "png": self = .png
      case "jpg", "jpeg": self = .jpeg(quality: jpegQuality)
      default: throw ImageError(file: path, .unknownEnding)
      }
    }
  }

  /// Writes a PNG or JPEG file, chosen by the ending of `path`; throws ``ImageError``.
  ///
  /// The file appears complete or not at all: it is written beside its place and renamed.
  public func write(to path: String, jpegQuality: Int = 95) throws(ImageError) {
    let format = try FileFormat(endingOf: path, jpegQuality: jpegQuality)
    let bytes: [UInt8]
    switch encoded(as: format) {
    case .success(let encoded): bytes = encoded
    case .failure(let failure): throw ImageError(file: path, .unwritable(failure.reason))
    }
    do {
      try Data(bytes).write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw ImageError(file: path, .unwritable(error.systemReason))
    }
  }

  /// The bytes of a file that holds the picture, for whoever puts it somewhere else; `name` is what ``ImageError`` calls it.
  public func fileBytes(as format: FileFormat = .png, named name: String = "the picture") throws(ImageError)
    -> [UInt8]
  {
    switch encoded(as: format) {
    case .success(let bytes): return bytes
    case .failure(let failure): throw ImageError(file: name, .unwritable(failure.reason))
    }
  }

  /// What an encoder gave as the reason for its failure.
  struct EncodingFailure: Error {
    let reason: String
  }

  /// The bytes of a file that holds the picture.
  func encoded(as format: FileFormat) -> Result<[UInt8], EncodingFailure> {
    switch format {
    case .png: encodedAsPNG()
    case .jpeg(let quality): encodedAsJPEG(quality: quality)
    }
  }

  private func encodedAsPNG() -> Result<[UInt8], EncodingFailure> {
    var state = png_image()
    state.version = png_uint_32(PNG_IMAGE_VERSION)
    state.width = png_uint_32(width)
    state.height = png_uint_32(height)
    state.format = png_uint_32(model == .rgb ? PNG_FORMAT_FLAG_COLOR : 0)
    defer { png_image_free(&state) }
    // Deflate at its worst stores the rows as they are: 5 bytes per block of 16 KiB, a filter byte per row, the headers.
    let raw = (width * channelCount + 1) * height
    var count = raw + raw / 1024 + 4096
    var bytes = [UInt8](repeating: 0, count: count)
    guard png_image_write_to_memory(&state, &bytes, &count, 0, pixels, 0, nil) != 0 else {
      return .failure(EncodingFailure(reason: text(state.message)))
    }
    return .success(Array(bytes[..<count]))
  }

  private func encodedAsJPEG(quality: Int) -> Result<[UInt8], EncodingFailure> {
    require((1...100).contains(quality), "JPEG quality \(quality) is not in 1...100")
    var state = aviary_jpeg()
    state.width = UInt32(width)
    state.height = UInt32(height)
    state.channels = Int32(channelCount)
    var bytes: UnsafeMutablePointer<UInt8>?
    var count: UInt = 0
    defer { free(bytes) }
    guard aviary_jpeg_write(&state, pixels, Int32(quality), &bytes, &count) == 0 else {
      return .failure(EncodingFailure(reason: text(state.message)))
    }
    return .success(Array(UnsafeBufferPointer(start: bytes, count: Int(count))))
  }
}
