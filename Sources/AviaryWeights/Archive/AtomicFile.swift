import CSignals
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
  /// Removes the file when a signal ends the program (see `CSignals`).
  private let signalGuard: Int32

  /// Lets `body` fill a new file and then puts it at `path`; throws ``WeightsError`` of kind `unwritable` naming `path`.
  static func write(to path: String, _ body: (AtomicFile) throws -> Void) throws {
    let target = destination(of: path)
    let file = try AtomicFile(target: target, shownAs: path)
    defer { release_file(file.signalGuard) }
    do {
      try naming(path) { try body(file) }
      try file.commit(to: target)
    } catch {
      close(file.descriptor)
      unlink(file.temporaryPath)
      throw error
    }
  }

  /// Where a path that is a link leads, whether there is a file yet or not: links are written through, not replaced.
  private static func destination(of path: String) -> String {
    var path = path
    // Links that lead in a circle are found out when the file is looked at.
    for _ in 0..<40 {
      guard let next = try? FileManager.default.destinationOfSymbolicLink(atPath: path) else { break }
      path =
        URL(fileURLWithPath: next, relativeTo: URL(fileURLWithPath: path).deletingLastPathComponent()).path
    }
    return path
  }

  private init(target: String, shownAs path: String) throws {
    // Renaming would put a file in the place of a device or a pipe, and nothing that was written would get there.
    var status = stat()
    if stat(target, &status) == 0 {
      let kind = status.st_mode & S_IFMT
      guard kind == S_IFREG else {
        let what = kind == S_IFDIR ? "it is a folder" : "it is not a regular file"
        throw WeightsError(.unwritable, "cannot write: \(what)", file: path)
      }
    } else if errno != ENOENT {
      throw Self.failure(path)
    }
    let url = URL(fileURLWithPath: target)
    let folder = url.deletingLastPathComponent()
    let prefix = ".\(url.lastPathComponent.prefix(100))."
    Self.removeLeftovers(prefix, in: folder)
    let suffix = "\(getpid())-\(String(UInt32.random(in: .min ... .max), radix: 36))\(Self.ending)"
    self.path = path
    temporaryPath = folder.appendingPathComponent(prefix + suffix).path
    signalGuard = guard_file(temporaryPath)
    descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else {
      release_file(signalGuard)
      throw failure()
    }
  }

  private static let ending = ".partial"

  /// Removes what processes that were killed while they wrote the same file left behind.
  private static func removeLeftovers(_ prefix: String, in folder: URL) {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    where name.hasPrefix(prefix) && name.hasSuffix(ending) {
      let writer = pid_t(name.dropFirst(prefix.count).prefix { $0.isNumber }) ?? 0
      guard writer > 0, kill(writer, 0) != 0, errno == ESRCH else { continue }
      let path = folder.appendingPathComponent(name).path
      // A number says nothing of processes on another machine; what one of those is writing changes.
      var status = stat()
      guard lstat(path, &status) == 0, status.st_mtim.tv_sec < time(nil) - 10 else { continue }
      unlink(path)
    }
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

  /// Makes the file `count` bytes long and sure that there is room for them.
  func reserve(_ count: Int) throws {
    #if os(Linux)
      var status: Int32
      repeat { status = posix_fallocate(descriptor, 0, off_t(max(count, 1))) } while status == EINTR
      guard [0, EOPNOTSUPP, EINVAL, ENOSYS].contains(status) else {
        errno = status
        throw failure()
      }
    #endif
  }

  /// Cuts the file to its first `count` bytes, which gives the room of the others back.
  func truncate(to count: Int) throws {
    guard ftruncate(descriptor, off_t(count)) == 0 else { throw failure() }
  }

  private func failure() -> WeightsError { Self.failure(path) }

  private static func failure(_ path: String) -> WeightsError {
    WeightsError(.unwritable, "cannot write: \(String(cString: strerror(errno)))", file: path)
  }
}
