import AviaryTensors

/// A part of a mapped file that is a file of its own, such as a stored member of a zip file; or all of it.
struct FileWindow: Sendable {
  let file: MappedFile
  /// Bytes of the file.
  let range: Range<Int>
  /// What reading the whole file may cost; a part has the budget of what it is a part of.
  let budget: ReadingBudget

  init(_ file: MappedFile) {
    self.init(file, 0..<file.count, ReadingBudget(fileBytes: file.count))
  }

  /// The range must lie inside the file.
  init(_ file: MappedFile, _ range: Range<Int>, _ budget: ReadingBudget) {
    require(range.lowerBound >= 0 && range.upperBound <= file.count, "\(range) of \(file.count) bytes")
    self.file = file
    self.range = range
    self.budget = budget
  }

  /// A part of this one, which must contain it.
  func part(_ part: Range<Int>) -> FileWindow {
    FileWindow(file, (range.lowerBound + part.lowerBound)..<(range.lowerBound + part.upperBound), budget)
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
