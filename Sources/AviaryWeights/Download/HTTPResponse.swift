/// The status and headers of an answer.
struct HTTPResponse {
  private(set) var status = 0
  /// By lower-case name.
  private var headers: [String: String] = [:]

  /// Takes a line of the header. A new status line, as after a redirect, begins a new response.
  mutating func read(_ line: String) {
    if line.hasPrefix("HTTP/") {
      let words = line.split(separator: " ")
      self = HTTPResponse()
      status = words.count > 1 ? Int(words[1]) ?? 0 : 0
    } else if let colon = line.firstIndex(of: ":") {
      let value = line[line.index(after: colon)...].trimmed
      headers[line[..<colon].lowercased()] = value
    }
  }

  func header(_ name: String) -> String? { headers[name] }

  /// The body's length as announced.
  var contentLength: Int? { header("content-length").flatMap { Int($0) }.flatMap { $0 < 0 ? nil : $0 } }

  /// First byte and, when known, length of the whole in an answer to a request for a range: `bytes 100-199/200`.
  var contentRange: (start: Int, total: Int?)? {
    guard let parts = header("content-range")?.split(separator: " "), parts.count == 2, parts[0] == "bytes",
      let slash = parts[1].firstIndex(of: "/"), let dash = parts[1].firstIndex(of: "-"), dash < slash,
      let start = Int(parts[1][..<dash])
    else { return nil }
    return (start, Int(parts[1][parts[1].index(after: slash)...]))
  }

  /// What tells this content from a later one: a strong ETag, else the date of the last change.
  var validator: String? {
    if let tag = header("etag"), !tag.hasPrefix("W/") { return tag }
    return header("last-modified")
  }

  /// Seconds to wait before the next try.
  var retryAfter: Double? {
    header("retry-after").flatMap { Double($0) }.flatMap { $0.isFinite && $0 >= 0 ? $0 : nil }
  }

  var isPage: Bool { header("content-type")?.lowercased().hasPrefix("text/html") == true }
}

extension Substring {
  /// Without white space at both ends.
  var trimmed: String {
    let start = drop { $0.isWhitespace }
    return String(start.reversed().drop { $0.isWhitespace }.reversed())
  }
}
