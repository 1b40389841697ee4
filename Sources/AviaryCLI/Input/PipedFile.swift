import AviaryWeights
import Foundation
import Synchronization

/// What comes through standard input (`-`) or a pipe (`/dev/stdin`, `<(...)`), which can be read once and from the beginning only.
struct PipedFile {
  /// What the command line calls it.
  let name: String
  private let descriptor: Int32

  /// Nil when `path` leads to no pipe: a file, or what cannot be read anyway.
  init?(_ path: String) {
    var status = stat()
    if path == "-" {
      guard fstat(STDIN_FILENO, &status) == 0 else { return nil }
      descriptor = dup(STDIN_FILENO)
    } else {
      guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFIFO else { return nil }
      // Without waiting for somebody to write.
      descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    }
    guard descriptor >= 0 else { return nil }
    name = path
  }

  /// Why nothing came of it.
  struct Failure: Error, CustomStringConvertible {
    let name: String
    let reason: String
    var description: String { "cannot read \(name == "-" ? "standard input" : name): \(reason)" }
  }

  /// Reads to the end and hands over what comes, piece by piece, until `take` wants no more.
  func read(_ take: (ArraySlice<UInt8>) throws -> Bool) throws {
    defer { close(descriptor) }
    var piece = [UInt8](repeating: 0, count: 1 << 16)
    var isBegun = false
    // Somebody who will write may not have opened a named pipe yet.
    var patience = 20
    while true {
      let count = Foundation.read(descriptor, &piece, piece.count)
      if count > 0 {
        isBegun = true
        guard try take(piece[..<count]) else { return }
      } else if count == 0 {
        if isBegun { return }
        patience -= 1
        guard patience > 0 else { throw Failure(name: name, reason: "nothing comes from it") }
        wait(milliseconds: 100)
      } else if errno == EAGAIN {
        isBegun = true
        wait(milliseconds: -1)
      } else if errno != EINTR {
        throw Failure(name: name, reason: String(cString: strerror(errno)))
      }
    }
  }

  private func wait(milliseconds: Int32) {
    var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    // An end that is there already would not be waited for.
    if poll(&waiting, 1, milliseconds) > 0, waiting.revents & Int16(POLLIN) == 0, milliseconds > 0 {
      usleep(UInt32(milliseconds) * 1000)
    }
  }
}

extension PipedFile {
  /// Bytes of the longest text that is read.
  private static let longestText = 1 << 20

  /// Everything, as text. Throws ``Failure`` for what is none, or too long.
  func text() throws -> String {
    var bytes: [UInt8] = []
    try read { piece in
      bytes += piece
      guard bytes.count <= Self.longestText else {
        throw Failure(name: name, reason: "more than \(Self.longestText) bytes")
      }
      return true
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw Failure(name: name, reason: "it is no text in UTF-8")
    }
    return text
  }

  /// Paths that stand for pipes, with what the command line calls those.
  private static let copies = Mutex<[(path: String, name: String)]>([])

  /// `path`, or for a pipe of weights the path of a file without a name that holds them: readers of weights want to begin anywhere.
  ///
  /// What does not begin like weights is not read further: it may have no end.
  static func weights(_ path: String) throws -> String {
    guard let pipe = PipedFile(path) else { return path == "-" ? "/dev/stdin" : path }
    let (copy, descriptor) = try makeFile(pipe)
    var start: [UInt8] = []
    try pipe.read { piece in
      try append(piece, to: descriptor, pipe)
      if start.count < WeightFile.startLength { start += piece.prefix(WeightFile.startLength) }
      return start.count < WeightFile.startLength || start.withUnsafeBytes(WeightFile.isRecognised)
    }
    copies.withLock { $0.append((copy, path == "-" ? "standard input" : path)) }
    return copy
  }

  /// A file that is gone when the program ends, however it does.
  private static func makeFile(_ pipe: PipedFile) throws -> (path: String, descriptor: Int32) {
    var template = Array((NSTemporaryDirectory() + "/aviary-XXXXXX").utf8CString)
    let descriptor = mkstemp(&template)
    guard descriptor >= 0 else {
      throw Failure(name: pipe.name, reason: "no temporary file: \(String(cString: strerror(errno)))")
    }
    unlink(template)
    return ("/dev/fd/\(descriptor)", descriptor)
  }

  private static func append(_ piece: ArraySlice<UInt8>, to descriptor: Int32, _ pipe: PipedFile) throws {
    var rest = piece
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
      guard count > 0 else {
        throw Failure(name: pipe.name, reason: "no temporary file: \(String(cString: strerror(errno)))")
      }
      rest = rest.dropFirst(count)
    }
  }

  /// A message with the names that the command line has for pipes.
  static func restoringNames(in message: String) -> String {
    copies.withLock { copies in
      copies.reduce(message) { $0.replacingOccurrences(of: $1.path, with: $1.name) }
    }
  }
}
