import Foundation
import TestSupport
import Testing

@testable import AviaryWeights

@Suite("Downloads", .serialized)
struct DownloadTests {
  @Test("a file is fetched once, whatever digest is published")
  func plain() throws {
    let file = try weightsFile()
    let digest = sha256(file)
    for published in [nil, .sha256(digest), .sha256Prefix(String(digest.prefix(8)))] as [PublishedDigest?] {
      try withCache { cache throws in
        let server = try LocalServer { request, _ in .init(file: file, tag: "\"1\"", to: request) }
        #expect(try pull(cache, server, published, byteCount: file.count) == file)
        #expect(try pull(cache, server, published) == file)
        #expect(server.requests.map(\.path) == ["/net.pth"])
        #expect(try cache.file("net.tv")?.file == "net.pth")
        #expect(try pull(cache, server, published, isForced: true) == file)
        #expect(server.requests.count == 2)
      }
    }
  }

  @Test("another digest or length: refused, and nothing stays")
  func wrongContent() throws {
    let file = try weightsFile()
    let server = try LocalServer { request, _ in .init(file: file, tag: "\"1\"", to: request) }
    try withCache { cache throws in
      let zeros = String(repeating: "0", count: 32)
      for digest in [.md5(zeros), .sha256(zeros + zeros), .sha256Prefix("0badf00d"), .sha256Prefix("")]
        as [PublishedDigest]
      {
        let error = try failure(cache, server, digest)
        #expect(error.kind == .wrongContent)
      }
      #expect(try failure(cache, server, byteCount: file.count - 1).kind == .wrongContent)
      #expect(try failure(cache, server, byteCount: file.count + 1).kind == .wrongContent)
      let left = try FileManager.default.contentsOfDirectory(atPath: cache.folder + "/partial")
      #expect(left.isEmpty)
    }
  }

  @Test("a web page with status 200 is refused at once, and so is what is no file of weights")
  func pages() throws {
    let page = Array("\n<!DOCTYPE html><html>Please log in</html>".utf8)
    let answers: [LocalServer.Reply] = [
      .init(page, headers: ["Content-Type": "text/html; charset=utf-8"]), .init(page),
      .init(page + [UInt8](repeating: 0x20, count: 100_000)), .init(Array("busy".utf8)), .init([]),
      .init(Array("{\"error\": \"no such model\"}".utf8)),
    ]
    for (index, answer) in answers.enumerated() {
      let server = try LocalServer { _, _ in answer }
      try withCache { cache throws in
        let error = try failure(cache, server)
        #expect(error.kind == .wrongContent, "\(error)")
        #expect(error.reason.contains("a web page") == (index < 3))
        #expect(server.requests.count == 1)
      }
    }
  }

  @Test("busy servers are asked again, as often and as late as is sensible; a missing file is not")
  func statuses() throws {
    let file = try weightsFile()
    try withCache { cache throws in
      let busy = try LocalServer { request, number in
        number < 2
          ? .init([], status: number == 0 ? 503 : 429, headers: ["Retry-After": "86400"])
          : .init(file: file, tag: "\"1\"", to: request)
      }
      #expect(try pull(cache, busy) == file)
      #expect(busy.requests.count == 3)
      try cache.clear()
      let broken = try LocalServer { _, _ in .init([], status: 500) }
      #expect(try failure(cache, broken).kind == .unavailable(status: 500, retryAfter: nil))
      #expect(broken.requests.count == 3)
      let missing = try LocalServer { request, number in
        number == 0 ? .init([], status: 404) : .init(file: file, tag: "\"1\"", to: request)
      }
      #expect(try failure(cache, missing).kind == .rejected(status: 404))
      #expect(missing.requests.count == 1)
      #expect(try pull(cache, missing) == file)
    }
  }

  @Test("lengths that are missing or wrong")
  func lengths() throws {
    let file = try weightsFile()
    func server(announced: Int?, sent: Int? = nil) throws -> LocalServer {
      try LocalServer { _, _ in
        var reply = LocalServer.Reply(file)
        reply.announced = announced
        reply.sent = sent
        return reply
      }
    }
    try withCache { cache throws in
      // Without a length the end of the connection ends the file; where it is too early, the file's own header says so.
      #expect(try pull(cache, server(announced: nil)) == file)
      try cache.clear()
      #expect(try failure(cache, server(announced: nil, sent: 90_000)).kind == .wrongContent)
      #expect(try failure(cache, server(announced: 90_000)).kind == .wrongContent)
      #expect(try failure(cache, server(announced: file.count + 10)).kind == .interrupted)
    }
  }

  @Test("what is longer than it can be is refused before or while it comes")
  func tooLong() throws {
    let file = try weightsFile()
    try withCache { cache throws in
      for announced in [nil, file.count, Int.max] {
        let server = try LocalServer { _, _ in
          var reply = LocalServer.Reply(file)
          reply.announced = announced
          return reply
        }
        let download = Download(url: server.address + "/x", mostBytes: file.count - 1)
        let error = #expect(throws: DownloadError.self) {
          try cache.pull("net.tv", file: "x", download, policy: .impatient)
        }
        #expect(error?.kind == .wrongContent)
        #expect(try FileManager.default.contentsOfDirectory(atPath: cache.folder + "/partial").isEmpty)
      }
    }
  }

  @Test("a length beyond all numbers, announced for the rest of a file, ends nothing")
  func endlessRest() throws {
    let file = try weightsFile()
    try withCache { cache throws in
      let server = try LocalServer { request, number in
        if number == 0 { return LocalServer.Reply(file: file, tag: "\"1\"", to: request).cut(after: 100_000) }
        var reply = LocalServer.Reply(file: file, tag: "\"1\"", to: request)
        if number == 1 { reply.announced = Int.max }
        return reply
      }
      #expect(try pull(cache, server) == file)
      #expect(server.requests.count == 3)
    }
  }

  @Test("a trickle is given up as silence is")
  func trickle() throws {
    let file = try weightsFile()
    try withCache { cache throws in
      let server = try LocalServer { _, _ in
        var reply = LocalServer.Reply(file)
        reply.pace = 20
        return reply
      }
      var policy = Download.Policy.impatient
      policy.attempts = 1
      let start = Date()
      let error = #expect(throws: DownloadError.self) {
        try cache.pull("net.tv", file: "x", Download(url: server.address + "/x"), policy: policy)
      }
      #expect(error?.kind == .interrupted && error?.reason.contains("bytes came in 1 seconds") == true)
      #expect(-start.timeIntervalSinceNow < 10)
      // Nobody can go on with it: the server gives no mark of the content.
      #expect(try FileManager.default.contentsOfDirectory(atPath: cache.folder + "/partial").isEmpty)
    }
  }

  @Test("delays that are no numbers, and ranges that are never right, end in few tries")
  func oddAnswers() throws {
    let file = try weightsFile()
    try withCache { cache throws in
      for delay in ["nan", "inf", "-1", "soon"] {
        let server = try LocalServer { _, _ in .init([], status: 503, headers: ["Retry-After": delay]) }
        #expect(try failure(cache, server).kind == .unavailable(status: 503, retryAfter: nil))
        #expect(server.requests.count <= 3)
      }
      let server = try LocalServer { request, _ in
        request.rangeStart == nil
          ? LocalServer.Reply(file: file, tag: "\"1\"", to: request).cut(after: 100_000)
          : .init([], status: 416)
      }
      _ = try failure(cache, server)
      #expect(server.requests.count < 10)
    }
  }

  @Test("addresses that lead nowhere")
  func addresses() throws {
    try withCache { cache throws in
      for (url, kind) in [
        ("file:///etc/passwd", .rejected(status: nil)), ("no address", .rejected(status: nil)),
        ("http://127.0.0.1:1/x", .interrupted),
      ] as [(String, DownloadError.Kind)] {
        let error = #expect(throws: DownloadError.self) {
          try cache.pull("net.tv", file: "x", Download(url: url), policy: .impatient)
        }
        #expect(error?.kind == kind, "\(String(describing: error))")
      }
    }
  }

  @Test("passwords in addresses appear in no message and no file")
  func credentials() throws {
    let file = try weightsFile()
    let server = try LocalServer { request, number in
      number == 0 ? .init([], status: 404) : .init(file: file, tag: "\"1\"", to: request)
    }
    try withCache { cache throws in
      let url = server.address.replacingOccurrences(of: "//", with: "//me:secret@") + "/net.pth"
      let error = #expect(throws: DownloadError.self) {
        try cache.pull("net.tv", file: "x", Download(url: url), policy: .impatient)
      }
      #expect(error?.description.hasPrefix(server.address + "/net.pth: ") == true)
      let entry = try cache.pull("net.tv", file: "x", Download(url: url), policy: .impatient)
      #expect(entry.url == server.address + "/net.pth")
      #expect(server.requests.last?.headers["authorization"] != nil)
    }
  }

  @Test("two that want the same file fetch it once")
  func concurrency() async throws {
    let file = try weightsFile()
    let server = try LocalServer { request, _ in
      Thread.sleep(forTimeInterval: 0.3)
      return .init(file: file, tag: "\"1\"", to: request)
    }
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("aviary-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let digests = try await withThrowingTaskGroup(of: String.self) { group in
      for _ in 0..<3 {
        group.addTask {
          let cache = WeightCache(folder: folder.path)
          let download = Download(url: server.address + "/net.pth")
          return try cache.pull("net.tv", file: "net.pth", download, policy: .impatient).sha256
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(digests == Array(repeating: sha256(file), count: 3))
    #expect(server.requests.count == 1)
  }
}
