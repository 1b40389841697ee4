import CCurl
import Foundation

/// One GET over HTTP or HTTPS by libcurl, which streams the body to a receiver and follows redirects.
struct HTTPRequest {
  let url: String
  /// The first byte wanted.
  let offset: Int
  /// What the bytes before ``offset`` were sent with: the server sends the whole file when it has another by now.
  let validator: String?
  /// Seconds without a byte after which the transfer is given up.
  let stallSeconds: Int
  /// Bytes that have to come in that time.
  let leastBytes: Int
  let certificates: TrustedCertificates
  private static let redirects = 10

  /// What takes an answer. An error thrown here ends the transfer and leaves ``HTTPRequest/send(to:)``.
  protocol Receiver: AnyObject {
    /// Called once, before the first bytes.
    func begin(_ response: HTTPResponse) throws
    func receive(_ bytes: UnsafeRawBufferPointer) throws
  }

  private static let library: Void = aviary_curl_start()

  /// Performs the request. An empty body begins and receives nothing more.
  ///
  /// - Throws: ``DownloadError``, or what the receiver throws.
  func send(to receiver: any Receiver) throws {
    _ = Self.library
    guard let curl = curl_easy_init() else {
      throw DownloadError(.interrupted, url, "libcurl cannot be started")
    }
    defer { curl_easy_cleanup(curl) }
    let context = Context(receiver, patience: .seconds(stallSeconds), leastBytes: leastBytes)
    var headers: UnsafeMutablePointer<curl_slist>?
    defer { curl_slist_free_all(headers) }
    if offset > 0 {
      aviary_curl_set_text(curl, CURLOPT_RANGE, "\(offset)-")
      if let validator { headers = curl_slist_append(headers, "If-Range: \(validator)") }
    }
    configure(curl, headers)
    let details = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
    details.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    defer { details.deallocate() }
    aviary_curl_set_details(curl, details)
    let code = withExtendedLifetime(context) {
      aviary_curl_set_callbacks(
        curl,
        { bytes, _, count, context in Context.of(context).readHeader(bytes, count) },
        { bytes, _, count, context in Context.of(context).readBody(bytes, count) },
        { context, _, _, _, _ in Context.of(context).isTooSlow ? 1 : 0 },
        Unmanaged.passUnretained(context).toOpaque())
      return curl_easy_perform(curl)
    }
    if let failure = context.failure { throw failure }
    guard code == CURLE_OK else {
      throw error(code, String(cString: details), status: aviary_curl_status(curl), context.response)
    }
    try context.begin()
  }

  private func configure(_ curl: UnsafeMutableRawPointer, _ headers: UnsafeMutablePointer<curl_slist>?) {
    // A secure address must not lead to an insecure one.
    aviary_curl_set_protocols(
      curl, "http,https", url.lowercased().hasPrefix("https:") ? "https" : "http,https")
    aviary_curl_set_text(curl, CURLOPT_URL, url)
    aviary_curl_set_text(curl, CURLOPT_USERAGENT, "aviary")
    if let file = certificates.file { aviary_curl_set_text(curl, CURLOPT_CAINFO, file) }
    if let folder = certificates.folder { aviary_curl_set_text(curl, CURLOPT_CAPATH, folder) }
    if let headers { aviary_curl_set_list(curl, CURLOPT_HTTPHEADER, headers) }
    for (option, value) in [
      (CURLOPT_FOLLOWLOCATION, 1), (CURLOPT_MAXREDIRS, Self.redirects), (CURLOPT_FAILONERROR, 1),
      (CURLOPT_NOSIGNAL, 1), (CURLOPT_CONNECTTIMEOUT, stallSeconds),
    ] { aviary_curl_set_number(curl, option, value) }
  }

  private func error(
    _ code: CURLcode, _ details: String, status: Int, _ response: HTTPResponse
  ) -> DownloadError {
    let text = String(cString: curl_easy_strerror(code))
    switch code {
    case CURLE_HTTP_RETURNED_ERROR:
      if status == 408 || status == 429 || status >= 500 {
        return DownloadError(
          .unavailable(status: status, retryAfter: response.retryAfter), url,
          "the server answered with status \(status)")
      }
      let meaning = [401: " (a password is needed)", 403: " (forbidden)", 404: " (not found)"][status] ?? ""
      return DownloadError(
        .rejected(status: status), url, "the server answered with status \(status)\(meaning)")
    case CURLE_TOO_MANY_REDIRECTS:
      return DownloadError(.rejected(status: status), url, "more than \(Self.redirects) redirects")
    case CURLE_OPERATION_TIMEDOUT, CURLE_ABORTED_BY_CALLBACK:
      return DownloadError(
        .interrupted, url, "less than \(leastBytes) bytes came in \(stallSeconds) seconds")
    case CURLE_PARTIAL_FILE, CURLE_GOT_NOTHING, CURLE_RECV_ERROR:
      return DownloadError(.interrupted, url, "the connection broke off")
    case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_CACERT_BADFILE:
      return DownloadError(.rejected(status: nil), url, certificates.explanation(code, details))
    case CURLE_UNSUPPORTED_PROTOCOL where (300..<400).contains(status):
      let kind = url.prefix { $0 != ":" }.lowercased()
      let target = response.header("location") ?? "another protocol"
      return DownloadError(
        .rejected(status: nil), url, "redirects from \(kind) to \(target.withoutCredentials) are not followed"
      )
    case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL:
      return DownloadError(.rejected(status: nil), url, text)
    default: return DownloadError(.interrupted, url, text)
    }
  }
}

/// What libcurl's callbacks hand to the receiver.
private final class Context {
  private let receiver: any HTTPRequest.Receiver
  private(set) var response = HTTPResponse()
  private(set) var failure: (any Error)?
  private var hasBegun = false
  private let patience: Duration
  private let leastBytes: Int
  /// When enough bytes had come last, and how many have come since.
  private var lastEnough = ContinuousClock.now
  private var bytesSince = 0

  init(_ receiver: any HTTPRequest.Receiver, patience: Duration, leastBytes: Int) {
    self.receiver = receiver
    self.patience = patience
    self.leastBytes = leastBytes
  }

  /// Whether less has come than must for longer than is waited: a server that sends a byte now and then would keep us for years.
  /// libcurl's own limit looks at the average speed, and so is late after a fast start.
  var isTooSlow: Bool { ContinuousClock.now - lastEnough > patience }

  private func heard(_ count: Int) {
    bytesSince += count
    guard bytesSince >= leastBytes else { return }
    lastEnough = .now
    bytesSince = 0
  }

  static func of(_ pointer: UnsafeMutableRawPointer?) -> Context {
    Unmanaged<Context>.fromOpaque(pointer!).takeUnretainedValue()
  }

  func readHeader(_ bytes: UnsafeMutablePointer<CChar>?, _ count: Int) -> Int {
    heard(count)
    response.read(String(decoding: UnsafeRawBufferPointer(start: bytes, count: count), as: UTF8.self))
    return count
  }

  func readBody(_ bytes: UnsafeMutablePointer<CChar>?, _ count: Int) -> Int {
    heard(count)
    do {
      try begin()
      try receiver.receive(UnsafeRawBufferPointer(start: bytes, count: count))
      return count
    } catch {
      failure = error
      return count == 0 ? 1 : 0
    }
  }

  func begin() throws {
    guard !hasBegun else { return }
    hasBegun = true
    try receiver.begin(response)
  }
}
