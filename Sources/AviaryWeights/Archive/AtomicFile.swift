import Foundation

/// A file that appears under its name complete or not at all.
///
/// Bytes go to a temporary file in the same folder, which is flushed to the disk and renamed; after an error it is removed and what
/// was there before is untouched.
struct AtomicFile {
  /// Where the bytes go until they are complete.
  let temporaryPath: String
  private let descriptor: Int32
  private let path: String

  /// Lets `body` fill a new file and then puts it at `path`; throws ``WeightsError`` of kind `unwritable` naming `path`.
  static func write(to path: String, _ body: (AtomicFile) throws -> Void) throws {
    // A link is written through, not replaced.
    let target = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    let file = try AtomicFile(target: target, shownAs: path)
    do {
      try naming(path) { try body(file) }
      try file.commit(to: target)
    } catch {
      close(file.descriptor)
      unlink(file.temporaryPath)
      throw error
    }
  }

  private init(target: String, shownAs path: String) throws {
    let url = URL(fileURLWithPath: target)
    let suffix = String(UInt64.random(in: .min ... .max), radix: 36)
    let name = ".\(url.lastPathComponent.prefix(100)).\(suffix).partial"
    self.path = path
    temporaryPath = url.deletingLastPathComponent().appendingPathComponent(name).path
    descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    var status = stat()
    if descriptor >= 0, stat(target, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
      close(descriptor)
      unlink(temporaryPath)
      throw WeightsError(.unwritable, "cannot write: it is a folder", file: path)
    }
    guard descriptor >= 0 else { throw failure() }
  }

  func append(_ bytes: UnsafeRawBufferPointer) throws {
    var rest = bytes
    while !rest.isEmpty {
      let written = Foundation.write(descriptor, rest.baseAddress, min(rest.count, 1 << 30))
      if written < 0 && errno == EINTR { continue }
      guard written > 0 else { throw failure() }
      rest = .init(rebasing: rest[written...])
    }
  }

  func append(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try append($0) } }

  /// Replaces bytes that were appended before.
  func overwrite(_ bytes: [UInt8], at offset: Int) throws {
    var done = 0
    while done < bytes.count {
      let written = bytes[done...].withUnsafeBytes {
        pwrite(descriptor, $0.baseAddress, $0.count, off_t(offset + done))
      }
      if written < 0 && errno == EINTR { continue }
      guard written > 0 else { throw failure() }
      done += written
    }
  }

  /// Flushes, renames, and flushes the folder so that the new name survives a power cut.
  private func commit(to target: String) throws {
    guard fsync(descriptor) == 0, rename(temporaryPath, target) == 0 else { throw failure() }
    close(descriptor)
    Self.flushFolder(of: target)
  }

  /// Flushes the folder that a file was renamed into.
  static func flushFolder(of path: String) {
    let folder = open(URL(fileURLWithPath: path).deletingLastPathComponent().path, O_RDONLY | O_CLOEXEC)
    guard folder >= 0 else { return }
    // Some file systems cannot flush a folder; the file itself is safe.
    fsync(folder)
    close(folder)
  }

  private func failure() -> WeightsError {
    WeightsError(.unwritable, "cannot write: \(String(cString: strerror(errno)))", file: path)
  }
}
