import Foundation

/// A file's bytes, mapped read-only: pages come in when they are first read and cost no copy.
///
/// A file that another process shortens while it is mapped ends this one with a bus error when what is gone is read, and one that is written
/// over gives other bytes (see ``hasChanged``). So readers of weights map only regular files, and writers replace files by renaming, never in
/// place.
package final class MappedFile: Sendable {
  /// Why a file could not be mapped.
  package struct Failure: Error, CustomStringConvertible {
    /// The file asked for, or what memory in its place was to be called.
    package let path: String
    /// The system's message, or what is wrong with the file.
    package let reason: String
    package var description: String { "cannot read \(path): \(reason)" }
  }

  /// The path given: the file's, or the name of memory that stands for one.
  package let path: String
  private let base: Unchecked<UnsafeRawPointer>
  /// Bytes of the file or memory, at least one.
  package let count: Int
  /// What the file was when it was mapped; nil for memory of its own, whose dropped pages would not come back.
  private let version: Version?
  private var isFile: Bool { version != nil }

  /// What tells one state of a file from another.
  private struct Version: Equatable {
    let size: Int
    let seconds: Int
    let nanoseconds: Int
    let device: UInt
    let number: UInt

    init(_ status: stat) {
      size = Int(status.st_size)
      (seconds, nanoseconds) = (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
      (device, number) = (UInt(status.st_dev), UInt(status.st_ino))
    }
  }

  /// Maps `path`; throws ``Failure`` when it is missing, not a regular file, empty or unreadable.
  package init(path: String) throws {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else { throw Failure(path: path, reason: String(cString: strerror(errno))) }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0 else {
      throw Failure(path: path, reason: String(cString: strerror(errno)))
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw Failure(path: path, reason: "it is not a regular file")
    }
    guard status.st_size > 0 else { throw Failure(path: path, reason: "the file is empty") }
    let count = Int(status.st_size)
    guard let base = mmap(nil, count, PROT_READ, MAP_PRIVATE, file, 0), base != MAP_FAILED else {
      throw Failure(path: path, reason: String(cString: strerror(errno)))
    }
    self.path = path
    self.count = count
    self.base = Unchecked(UnsafeRawPointer(base))
    version = Version(status)
  }

  /// Memory of `count` bytes that `body` fills, read-only afterwards: for a file that lies compressed inside another one.
  ///
  /// - Parameter path: what the memory is called in messages.
  /// - Throws: ``Failure`` when there is no memory, and what `body` throws.
  package init(
    path: String, count: Int, filledBy body: (UnsafeMutableRawBufferPointer) throws -> Void
  ) throws {
    guard count > 0 else { throw Failure(path: path, reason: "the file is empty") }
    let flags = MAP_PRIVATE | MAP_ANONYMOUS
    guard let base = mmap(nil, count, PROT_READ | PROT_WRITE, flags, -1, 0), base != MAP_FAILED else {
      throw Failure(path: path, reason: String(cString: strerror(errno)))
    }
    do {
      try body(UnsafeMutableRawBufferPointer(start: base, count: count))
    } catch {
      munmap(base, count)
      throw error
    }
    mprotect(base, count, PROT_READ)
    self.path = path
    self.count = count
    self.base = Unchecked(UnsafeRawPointer(base))
    version = nil
  }

  /// Whether the file was written to or cut since it was mapped, so that what was read of it is not all of one piece.
  ///
  /// A file that was replaced by another of its name is still there unchanged, and one that was removed as well.
  package var hasChanged: Bool {
    var status = stat()
    guard let version, stat(path, &status) == 0 else { return false }
    let now = Version(status)
    return now.device == version.device && now.number == version.number && now != version
  }

  deinit { munmap(UnsafeMutableRawPointer(mutating: base.value), count) }

  /// All bytes; valid while this object lives.
  package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    try body(UnsafeRawBufferPointer(start: base.value, count: count))
  }

  /// Drops the pages that lie wholly in a range of the mapping; they come back from the file when they are read again.
  func releasePages(from start: UnsafeRawPointer, count: Int) {
    guard isFile else { return }
    let page = UInt(getpagesize())
    let first = (UInt(bitPattern: start) + page - 1) / page * page
    let end = (UInt(bitPattern: start) + UInt(count)) / page * page
    guard end > first, let address = UnsafeMutableRawPointer(bitPattern: first) else { return }
    madvise(address, Int(end - first), MADV_DONTNEED)
  }

  /// As above, for a range of the file.
  package func releasePages(_ range: Range<Int>) {
    releasePages(from: base.value + range.lowerBound, count: range.count)
  }

  func pointer(at offset: Int) -> UnsafeRawPointer { base.value + offset }
}
