import Foundation

/// The bytes of a picture's file, what they may ask for, and the errors that name the file.
struct PictureSource {
  let bytes: UnsafeRawBufferPointer
  /// The path, or what stands for it in messages.
  let name: String

  /// Pixels that a file of any size may have: a blank page of A4 at 600 dots per inch compresses to nearly nothing.
  private static let freePixels = 1 << 25
  /// Pixels that each byte of a file allows beyond those.
  private static let pixelsPerByte = 1024

  func error(_ problem: ImageError.Problem) -> ImageError { ImageError(file: name, problem) }
  func damaged(_ reason: String) -> ImageError { error(.damaged(reason)) }

  /// Refuses a size before memory is taken for it: the largest grows with the file, so that a small one cannot take everything.
  func check(width: Int, height: Int) throws(ImageError) {
    let (pixelCount, overflow) = width.multipliedReportingOverflow(by: height)
    guard !overflow, pixelCount <= Image.maximumPixelCount else {
      throw error(.tooLarge(width: width, height: height))
    }
    guard width > 0, height > 0 else { throw damaged("it has no pixels") }
    guard pixelCount <= Self.freePixels + Self.pixelsPerByte * bytes.count else {
      throw tooFewBytes(width, height)
    }
    guard Self.isGranted(Self.bytesPerPixel * pixelCount) else {
      throw error(.noMemory(width: width, height: height))
    }
  }

  /// What decoding and the first steps behind it take for each pixel, at most.
  private static let bytesPerPixel = 8

  /// Whether the system would give so much memory. An array that it refuses would end the program, and other pictures with it.
  private static func isGranted(_ byteCount: Int) -> Bool {
    let flags = MAP_PRIVATE | MAP_ANON
    guard let memory = mmap(nil, byteCount, PROT_READ | PROT_WRITE, flags, -1, 0), memory != MAP_FAILED else {
      return false
    }
    munmap(memory, byteCount)
    return true
  }

  func tooFewBytes(_ width: Int, _ height: Int) -> ImageError {
    damaged("\(bytes.count) bytes are too few for \(width)×\(height) pixels")
  }

  /// `count` values that a decoder writes; nil when it says that it failed.
  static func values<Value>(
    _ count: Int, writtenBy decode: (UnsafeMutablePointer<Value>) -> Bool
  ) -> [Value]? {
    var isWhole = false
    let values = [Value](unsafeUninitializedCapacity: count) { target, initialized in
      isWhole = target.baseAddress.map(decode) ?? true
      initialized = isWhole ? count : 0
    }
    return isWhole ? values : nil
  }
}

/// The C string in a fixed array of characters, which Swift sees as a tuple.
func text<Characters>(_ characters: Characters) -> String {
  withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
}
