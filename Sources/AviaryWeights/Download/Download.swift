import Foundation

/// A file of weights to be fetched: from where, and what its publisher says of it.
public struct Download: Sendable {
  /// Where it is fetched from, by HTTP or HTTPS.
  package let url: String
  /// What the complete file is compared with; nil where nothing is published.
  package let digest: PublishedDigest?
  /// The exact length, where it is known.
  package let byteCount: Int?
  /// The file is not longer than this.
  private let mostBytes: Int
  private let content: Content

  /// What begins differently is refused before all of it is here.
  enum Content: Sendable {
    /// A file of weights in a format that can be read.
    case weights
    /// Text that is no web page.
    case text
    /// Anything: its digest tells.
    case anything
  }

  /// How much patience is in order.
  public struct Policy: Sendable {
    /// Tries in a row that bring no new bytes.
    public var attempts = 5
    /// Seconds without a byte after which a try is given up.
    public var stallSeconds = 30
    /// Bytes that have to come in so many seconds: a slower transfer is given up as well.
    public var leastBytes = 30 << 10
    /// Seconds before the second try; doubled for each further one.
    public var firstDelay = 0.5
    /// The longest wait, whatever a server asks for.
    public var longestDelay = 30.0
    /// Whose certificates servers may have.
    var certificates: TrustedCertificates

    /// - Parameter environment: may say whose certificates to trust, see ``TrustedCertificates``.
    public init(environment: [String: String] = ProcessInfo.processInfo.environment) {
      certificates = TrustedCertificates(environment: environment)
    }
  }

  /// No published file of weights comes near this.
  private static let maximumBytes = 64 << 30
  /// Tries altogether: a server that breaks off again and again after a few bytes must not be asked for ever.
  private static let allAttempts = 100

  /// - Parameter mostBytes: no more are received than these, or than `byteCount` where it is known, or than the server announces.
  package init(url: String, digest: PublishedDigest? = nil, byteCount: Int? = nil, mostBytes: Int? = nil) {
    self.init(url: url, digest: digest, byteCount: byteCount, mostBytes: mostBytes, content: .weights)
  }

  init(
    url: String, digest: PublishedDigest? = nil, byteCount: Int? = nil, mostBytes: Int? = nil,
    content: Content
  ) {
    self.content = content
    self.url = url
    self.digest = digest
    self.byteCount = byteCount
    self.mostBytes = min(byteCount ?? .max, mostBytes ?? Self.maximumBytes)
  }

  /// What happens while a file is fetched.
  public enum Event: Sendable, Equatable {
    /// Bytes that are here, those of earlier tries included, and of the whole where the server says it.
    case received(Int, of: Int?)
    /// A try failed for this reason, and the next begins after a pause.
    case waiting(seconds: Double, reason: String)
    /// Bytes of the complete file that went into its digests, and all its bytes.
    case checking(Int, of: Int)
  }

  /// Fetches the file to `path`, where an interrupted earlier try is gone on with, and checks it.
  ///
  /// - Returns: the digests of the file, which lies complete and flushed to the disk at `path`.
  /// - Throws: ``DownloadError``. What can be gone on with stays, everything else is removed.
  func fetch(
    to path: String, policy: Policy = Policy(), report: @escaping (Event) -> Void = { _ in }
  ) throws -> FileDigests {
    let file = try PartialFile(path, url: url, maximumBytes: mostBytes, content: content) {
      report(.received($0, of: $1))
    }
    do {
      while true {
        try receive(file, policy, report)
        do {
          return try check(file, report)
        } catch let error as DownloadError where error.kind == .wrongContent && file.wasResumed {
          // The beginning may be of an older content. Once more, all of it.
          try file.discard()
        }
      }
    } catch let error as DownloadError {
      if error.kind == .wrongContent || !file.canBeGoneOnWith { file.remove() }
      throw error
    }
  }

  /// Tries until the file is complete.
  private func receive(_ file: PartialFile, _ policy: Policy, _ report: (Event) -> Void) throws {
    var failures = 0
    // What was there once and was discarded is no progress when it comes again.
    var most = file.count
    for _ in 1...Self.allAttempts {
      let before = file.count
      do {
        try file.request(policy).send(to: file)
        return try file.finish()
      } catch let error as DownloadError {
        let hasNothingMore = error.kind == .rejected(status: 416) && before > 0
        // There is nothing behind what is here: it is complete already, or of another content. Only all of it tells.
        if hasNothingMore { try file.discard() }
        guard error.isTransient || hasNothingMore else { throw error }
        failures = file.count > most ? 1 : failures + 1
        most = max(most, file.count)
        guard failures < policy.attempts else { throw error }
        let delay = policy.delay(after: failures, error)
        report(.waiting(seconds: delay, reason: error.reason))
        Thread.sleep(forTimeInterval: delay)
      }
    }
    throw DownloadError(.interrupted, url, "the connection broke off \(Self.allAttempts) times")
  }

  private func check(_ file: PartialFile, _ report: (Event) -> Void) throws -> FileDigests {
    if let byteCount, byteCount != file.count {
      throw DownloadError(
        .wrongContent, url, "\(file.count) bytes instead of the \(byteCount) that are published")
    }
    let digests = try FileDigests(ofFile: file.path) { report(.checking($0, of: file.count)) }
    try digest?.check(digests, url: url)
    return digests
  }
}

extension Download.Policy {
  /// Seconds to wait after `failures` tries in a row: doubled each time, a little at random so that many clients do not come at once.
  func delay(after failures: Int, _ error: DownloadError) -> Double {
    if case .unavailable(_, let seconds?) = error.kind { return min(max(seconds, 0), longestDelay) }
    let growing = firstDelay * pow(2, Double(min(failures, 16) - 1))
    return min(growing, longestDelay) * Double.random(in: 0.75...1)
  }
}
