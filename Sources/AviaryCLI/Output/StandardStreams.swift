import Foundation
import Synchronization

/// What the program was started with: streams that may be closed, full, or read by nobody.
enum StandardStreams {
  private static let outputFailure = Mutex<Int32?>(nil)

  /// Leads closed streams to nowhere, before a file is opened: it would get the number of one, and the program's words.
  static func fillGaps() {
    for stream in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO]
    where fcntl(stream, F_GETFD) == -1 && errno == EBADF {
      // The wrong direction, so that reading and writing fail as they would have. The lowest free number is this one.
      _ = open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY)
    }
  }

  /// Writes everything. What standard output does not take is remembered, and the work goes on: a training's weights are worth more than
  /// its lines.
  static func write(_ text: String, to stream: Int32) {
    var text = text
    let failure = text.withUTF8 { write(UnsafeRawBufferPointer($0), to: stream) }
    guard let failure, stream == STDOUT_FILENO else { return }
    outputFailure.withLock { $0 = $0 ?? failure }
  }

  private static func write(_ bytes: UnsafeRawBufferPointer, to stream: Int32) -> Int32? {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = Foundation.write(stream, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
      if count >= 0 {
        rest = rest.dropFirst(count)
      } else if errno == EAGAIN {
        var waiting = pollfd(fd: stream, events: Int16(POLLOUT), revents: 0)
        poll(&waiting, 1, -1)
      } else if errno != EINTR {
        return errno
      }
    }
    return nil
  }

  /// The exit status of a command that ended with `status`, after a sentence when its output was lost. A reader who has gone away, as
  /// `head` does, knows that.
  static func finish(_ status: Int32) -> Int32 {
    guard let failure = outputFailure.withLock({ $0 }) else { return status }
    if failure != EPIPE {
      Console.printError("aviary: cannot write to standard output: \(String(cString: strerror(failure)))")
    }
    return max(status, 1)
  }
}
