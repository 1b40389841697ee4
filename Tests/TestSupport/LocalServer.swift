import Foundation
import Synchronization

/// A small HTTP server on this machine, which can be told to misbehave as servers and networks do.
public final class LocalServer: Sendable {
  public struct Request: Sendable {
    public let path: String
    /// By lower-case name.
    public let headers: [String: String]

    /// The first byte that is asked for, when it is not the whole file.
    public var rangeStart: Int? {
      headers["range"].flatMap { Int($0.dropFirst("bytes=".count).prefix { $0 != "-" }) }
    }
  }

  public struct Reply: Sendable {
    public var status = 200
    public var headers: [String: String] = [:]
    public var body: [UInt8] = []
    /// What Content-Length says; nil leaves it out, and the end of the connection is the end of the body.
    public var announced: Int?
    /// How many bytes of the body are sent before the connection is closed; all when nil.
    public var sent: Int?
    /// Seconds of silence after those bytes.
    public var silence = 0.0
    /// Bytes a second, ten times a second some; all at once when nil.
    public var pace: Int?

    /// A body with its length.
    public init(_ body: [UInt8], status: Int = 200, headers: [String: String] = [:]) {
      self.body = body
      self.status = status
      self.headers = headers
      announced = body.count
    }

    /// A file as a good server sends it: the part that is asked for, or all when the file has another tag by now.
    public init(file: [UInt8], tag: String, to request: Request) {
      if let start = request.rangeStart, start < file.count, (request.headers["if-range"] ?? tag) == tag {
        self.init(
          Array(file[start...]), status: 206,
          headers: ["ETag": tag, "Content-Range": "bytes \(start)-\(file.count - 1)/\(file.count)"])
      } else {
        self.init(file, headers: ["ETag": tag])
      }
    }

    /// What comes before the body.
    var head: [UInt8] {
      var head = "HTTP/1.1 \(status) Status\r\nConnection: close\r\n"
      for (name, value) in headers { head += "\(name): \(value)\r\n" }
      if let announced { head += "Content-Length: \(announced)\r\n" }
      return Array((head + "\r\n").utf8)
    }

    /// The same, broken off after some bytes.
    public func cut(after count: Int) -> Reply {
      var copy = self
      copy.sent = count
      return copy
    }
  }

  public let address: String
  private let listener: Int32
  private let log = Log()

  private final class Log: Sendable {
    let requests = Mutex<[Request]>([])

    /// Takes a request down; returns how many there were before it.
    func note(_ request: Request) -> Int {
      requests.withLock { requests in
        requests.append(request)
        return requests.count - 1
      }
    }
  }

  /// Everything that was asked for so far.
  public var requests: [Request] { log.requests.withLock { $0 } }

  /// Serves until it is gone; `answer` is given each request and how many there were before it.
  public init(_ answer: @escaping @Sendable (_ request: Request, _ number: Int) -> Reply) throws {
    Self.bypassProxy
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var place = sockaddr_in()
    place.sin_family = sa_family_t(AF_INET)
    place.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isOpen = withUnsafeMutablePointer(to: &place) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        bind(listener, address, length) == 0 && listen(listener, 16) == 0
          && getsockname(listener, address, &length) == 0
      }
    }
    guard isOpen else { throw CocoaError(.fileReadUnknown) }
    self.listener = listener
    address = "http://127.0.0.1:\(UInt16(bigEndian: place.sin_port))"
    let thread = Thread { [log] in
      while true {
        let connection = accept(listener, nil, nil)
        if connection < 0 { return }
        Thread { Self.serve(connection) { answer($0, log.note($0)) } }.start()
      }
    }
    thread.start()
  }

  /// A proxy that this machine may use for other addresses must not be asked for ours.
  static let bypassProxy: Void = { _ = setenv("no_proxy", "127.0.0.1", 1) }()

  deinit {
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
  }

  private static func serve(_ connection: Int32, _ answer: (Request) -> Reply) {
    defer { close(connection) }
    guard let request = read(connection) else { return }
    let reply = answer(request)
    guard send(reply.head, connection) else { return }
    var body = reply.body.prefix(reply.sent ?? reply.body.count)
    while let pace = reply.pace, !body.isEmpty {
      let piece = body.prefix(max(pace / 10, 1))
      guard send(Array(piece), connection) else { return }
      body = body.dropFirst(piece.count)
      Thread.sleep(forTimeInterval: 0.1)
    }
    guard send(Array(body), connection) else { return }
    if reply.silence > 0 { Thread.sleep(forTimeInterval: reply.silence) }
  }

  private static func send(_ bytes: [UInt8], _ connection: Int32) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes {
        Foundation.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }

  private static func read(_ connection: Int32) -> Request? {
    var text: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while !text.suffix(4).elementsEqual(Array("\r\n\r\n".utf8)) {
      let count = recv(connection, &chunk, chunk.count, 0)
      guard count > 0, text.count < 1 << 16 else { return nil }
      text += chunk.prefix(count)
    }
    let lines = String(decoding: text, as: UTF8.self).components(separatedBy: "\r\n")
    let words = lines[0].split(separator: " ")
    guard words.count >= 2 else { return nil }
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else { continue }
      headers[line[..<colon].lowercased()] =
        line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
    }
    return Request(path: String(words[1]), headers: headers)
  }
}
