/// Why a file could not be downloaded, in one sentence for a person.
public struct DownloadError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What a program may want to decide by.
  public enum Kind: Sendable, Equatable {
    /// The server could not be reached, fell silent, or broke off: worth another try.
    case interrupted
    /// The server is busy or broken; it may have said after how many seconds to try again.
    case unavailable(status: Int, retryAfter: Double?)
    /// The server will not send this file: missing, forbidden, redirects without end, an untrusted certificate.
    case rejected(status: Int?)
    /// What came is not the file: a web page, another length, another digest.
    case wrongContent
    /// Downloading was not allowed.
    case offline
    /// The file cannot be stored here.
    case unwritable
  }

  /// What went wrong, for a program.
  public let kind: Kind
  /// The address of the file, without user and password; the path of one that came in a bundle.
  public let url: String
  /// What went wrong, for a person; ``description`` puts the address before it.
  public let reason: String

  /// An error about the file at `url`, of which user and password are dropped.
  public init(_ kind: Kind, _ url: String, _ reason: String) {
    self.kind = kind
    self.url = url.withoutCredentials
    self.reason = reason
  }

  public var description: String { "\(url): \(reason)" }

  /// Whether the same request may succeed later.
  var isTransient: Bool {
    switch kind {
    case .interrupted, .unavailable: true
    case .rejected, .wrongContent, .offline, .unwritable: false
    }
  }
}

extension String {
  /// An address without user and password, which belong neither into messages nor into files.
  var withoutCredentials: String {
    guard let start = firstRange(of: "://")?.upperBound else { return self }
    let host = self[start...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    guard let mark = host.lastIndex(of: "@") else { return self }
    return String(self[..<start] + self[index(after: mark)...])
  }
}
