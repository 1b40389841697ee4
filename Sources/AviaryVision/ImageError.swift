/// Why a picture could not be read or written.
public struct ImageError: Error, Equatable, CustomStringConvertible {
  /// What happened, for programs that decide by it.
  public enum Problem: Equatable, Sendable {
    /// The file is missing, empty or may not be read; the system's reason.
    case unreadable(String)
    /// The first bytes are those of no format that is read.
    case unknownFormat
    /// More pixels than ``Image/maximumPixelCount``.
    case tooLarge(width: Int, height: Int)
    /// The system refuses the memory for so many pixels.
    case noMemory(width: Int, height: Int)
    /// The contents are cut off or corrupt; the decoder's reason.
    case damaged(String)
    /// A valid picture of a kind that is not read; which one.
    case unsupported(String)
    /// The file name's ending is neither `.png` nor `.jpg` or `.jpeg`.
    case unknownEnding
    /// The file could not be written; the system's or the encoder's reason.
    case unwritable(String)
  }

  /// The path, or the name given for bytes that come from elsewhere.
  public let file: String
  /// What is wrong with the file.
  public let problem: Problem

  /// What is wrong with the file, or the bytes, called `file`.
  public init(file: String, _ problem: Problem) {
    self.file = file
    self.problem = problem
  }

  public var description: String {
    switch problem {
    case .unreadable(let reason): "cannot read \(file): \(reason)"
    case .unknownFormat: "cannot read \(file): it is no PNG, JPEG, WebP, GIF, BMP or TIFF picture"
    case .tooLarge(let width, let height):
      "cannot read \(file): \(width)×\(height) pixels are more than \(Image.maximumPixelCount)"
    case .noMemory(let width, let height):
      "cannot read \(file): there is no memory for \(width)×\(height) pixels"
    case .damaged(let reason): "cannot read \(file): it is damaged (\(reason))"
    case .unsupported(let kind): "cannot read \(file): \(kind) is not supported"
    case .unknownEnding: "cannot write \(file): the name must end in .png, .jpg or .jpeg"
    case .unwritable(let reason): "cannot write \(file): \(reason)"
    }
  }
}
