import AviaryTensors

/// A part of a mapped file that is a file of its own, such as a stored member of a zip file; or all of it.
struct FileWindow: Sendable {
  let file: MappedFile
  /// Bytes of the file.
  let range: Range<Int>

  init(_ file: MappedFile) { self.init(file, 0..<file.count) }

  /// The range must lie inside the file.
  init(_ file: MappedFile, _ range: Range<Int>) {
    require(range.lowerBound >= 0 && range.upperBound <= file.count, "\(range) of \(file.count) bytes")
    self.file = file
    self.range = range
  }

  var count: Int { range.count }

  /// All bytes; valid while the file lives.
  func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    try file.withBytes { try body(UnsafeRawBufferPointer(rebasing: $0[range])) }
  }

  /// Drops the pages of a part; they come back when they are read again.
  func releasePages(_ part: Range<Int>) {
    file.releasePages((range.lowerBound + part.lowerBound)..<(range.lowerBound + part.upperBound))
  }

  func releasePages() { file.releasePages(range) }
}
