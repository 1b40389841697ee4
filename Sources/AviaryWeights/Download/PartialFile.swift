import CSignals
import Foundation

/// The part of a download that is here already, with what it takes to go on where it ended: in this process or a later one.
///
/// Beside the bytes lies a small JSON file that says which content they are of.
final class PartialFile: HTTPRequest.Receiver {
  /// Of which content the bytes are.
  private struct Origin: Codable, Equatable {
    var url: String
    /// The server's mark of the content; without one there is no telling whether the rest belongs to the beginning.
    var validator: String?
    /// Length of the whole, where the server says it.
    var total: Int?
  }

  let path: String
  private let url: String
  private let maximumBytes: Int
  private let content: Download.Content
  private let progress: (_ done: Int, _ total: Int?) -> Void
  private let descriptor: Int32
  /// Removes the file when a signal ends the program while nobody could go on with it.
  private var signalGuard: Int32
  private var origin: Origin
  /// Bytes in the file.
  private(set) var count: Int
  /// Whether bytes of an earlier answer were kept.
  private(set) var wasResumed = false
  private var hasCheckedStart = false
  private var announced: Int?

  private var originPath: String { path + ".json" }

  /// Opens the file at `path`, or a new one when there is none that can be gone on with.
  init(
    _ path: String, url: String, maximumBytes: Int, content: Download.Content,
    progress: @escaping (_ done: Int, _ total: Int?) -> Void
  ) throws(DownloadError) {
    self.path = path
    self.url = url
    self.maximumBytes = maximumBytes
    self.content = content
    self.progress = progress
    origin = Origin(url: url.withoutCredentials)
    signalGuard = -1
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o666)
    guard descriptor >= 0 else {
      throw DownloadError(.unwritable, url, "cannot write \(path): \(String(cString: strerror(errno)))")
    }
    count = 0
    let known = FileManager.default.contents(atPath: path + ".json")
      .flatMap { try? JSONDecoder().decode(Origin.self, from: $0) }
    let length = lseek(descriptor, 0, SEEK_END)
    if let known, known.url == origin.url, known.validator != nil, length > 0, length <= maximumBytes {
      origin = known
      count = Int(length)
      hasCheckedStart = true
    } else {
      try discard()
    }
  }

  deinit {
    release_file(signalGuard)
    close(descriptor)
  }

  /// The request for what is missing.
  func request(_ policy: Download.Policy) -> HTTPRequest {
    HTTPRequest(
      url: url, offset: count, validator: origin.validator, stallSeconds: policy.stallSeconds,
      leastBytes: policy.leastBytes, certificates: policy.certificates)
  }

  /// Whether a later run can fetch the rest alone.
  var canBeGoneOnWith: Bool { count > 0 && origin.validator != nil }

  /// Forgets all bytes.
  func discard() throws(DownloadError) {
    guard ftruncate(descriptor, 0) == 0 else { throw failure() }
    count = 0
    wasResumed = false
    hasCheckedStart = false
    origin = Origin(url: url.withoutCredentials)
    unlink(originPath)
  }

  /// Removes the file.
  func remove() {
    unlink(path)
    unlink(originPath)
  }

  // MARK: Receiving

  func begin(_ response: HTTPResponse) throws {
    if response.status == 206 {
      guard let range = response.contentRange, range.start == count,
        origin.total == nil || range.total == nil || origin.total == range.total
      else {
        try discard()
        throw DownloadError(.interrupted, url, "the server sent another part of the file than was asked for")
      }
      wasResumed = count > 0
      announced = response.contentLength.map { $0.addingClamped(count) } ?? range.total
      if let total = origin.total ?? range.total { announced = total }
    } else {
      // The server knows no ranges, or its file has changed: it sends all of it.
      if count > 0 { try discard() }
      if response.isPage { throw page() }
      announced = response.contentLength
    }
    if let announced, announced > maximumBytes { throw tooLong(announced) }
    origin = Origin(url: origin.url, validator: response.validator ?? origin.validator, total: announced)
    release_file(signalGuard)
    guard origin.validator != nil else {
      signalGuard = guard_file(path)
      return
    }
    signalGuard = -1
    guard FileManager.default.createFile(atPath: originPath, contents: try? JSONEncoder().encode(origin))
    else { throw failure() }
  }

  func receive(_ bytes: UnsafeRawBufferPointer) throws {
    let end = count + bytes.count
    guard end <= maximumBytes else { throw tooLong(end) }
    if let announced, end > announced {
      throw DownloadError(.interrupted, url, "more came than the \(announced) bytes that were announced")
    }
    var rest = bytes
    while !rest.isEmpty {
      let written = pwrite(descriptor, rest.baseAddress, rest.count, off_t(count))
      if written < 0 && errno == EINTR { continue }
      guard written > 0 else { throw failure() }
      count += written
      rest = .init(rebasing: rest[written...])
    }
    if !hasCheckedStart, count >= WeightFile.startLength { try checkStart() }
    progress(count, announced)
  }

  /// Checks a file that was received to its end.
  func finish() throws {
    if let announced, announced != count {
      throw DownloadError(
        .interrupted, url, "\(count) bytes came, \(announced) were announced: the connection broke off")
    }
    if !hasCheckedStart { try checkStart() }
    guard fsync(descriptor) == 0 else { throw failure() }
  }

  /// Refuses what does not begin as weights do, before the rest is downloaded.
  private func checkStart() throws {
    var start = [UInt8](repeating: 0, count: min(count, WeightFile.startLength))
    guard pread(descriptor, &start, start.count, 0) == start.count else { throw failure() }
    hasCheckedStart = true
    if content == .anything { return }
    if start.first(where: { ![0x20, 0x0A, 0x0D, 0x09, 0xEF, 0xBB, 0xBF].contains($0) }) == UInt8(ascii: "<") {
      throw page()
    }
    guard content == .text || start.withUnsafeBytes(WeightFile.isRecognised) else {
      throw DownloadError(
        .wrongContent, url, "what the server sent is no file of weights in a known format")
    }
  }

  private func page() -> DownloadError {
    DownloadError(
      .wrongContent, url,
      "the server sent a web page instead of weights; a proxy or a login page may stand in the way")
  }

  private func tooLong(_ length: Int) -> DownloadError {
    DownloadError(.wrongContent, url, "\(length) bytes or more, but \(maximumBytes) are expected at most")
  }

  private func failure() -> DownloadError {
    DownloadError(.unwritable, url, "cannot write \(path): \(String(cString: strerror(errno)))")
  }
}

extension Int {
  /// The sum, or the largest number where that is beyond it.
  fileprivate func addingClamped(_ other: Int) -> Int {
    let (sum, isBeyond) = addingReportingOverflow(other)
    return isBeyond ? .max : sum
  }
}
