import Foundation

/// A lock between processes.
enum FileLock {
  /// Runs `body` while this process alone holds the lock at `path`; `waiting` is called first when another has it.
  ///
  /// The file stays: removing it would let two processes lock two files of one name. Throws ``WeightsError`` when it cannot be made.
  static func hold<Result>(
    _ path: String, waiting: () -> Void = {}, _ body: () throws -> Result
  ) throws -> Result {
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o666)
    guard descriptor >= 0 else {
      throw WeightsError(.unwritable, "cannot lock: \(String(cString: strerror(errno)))", file: path)
    }
    defer { close(descriptor) }
    if flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      if errno == EWOULDBLOCK { waiting() }
      // File systems without locks say so at once; there the rename alone keeps files whole.
      while flock(descriptor, LOCK_EX) != 0 && errno == EINTR {}
    }
    return try body()
  }
}
