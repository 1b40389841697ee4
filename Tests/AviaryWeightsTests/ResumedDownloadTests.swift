import Foundation
import TestSupport
import Testing

@testable import AviaryWeights

@Suite("Downloads that break off", .serialized)
struct ResumedDownloadTests {
  @Test("a connection that breaks off is gone on with where it ended")
  func truncation() throws {
    let file = try weightsFile()
    let server = try LocalServer { request, number in
      let reply = LocalServer.Reply(file: file, tag: "\"1\"", to: request)
      return number < 4 ? reply.cut(after: 50_000) : reply
    }
    try withCache { cache throws in
      #expect(try pull(cache, server, .sha256(sha256(file))) == file)
      #expect(server.requests.map(\.rangeStart) == [nil, 50_000, 100_000, 150_000, 200_000])
      #expect(server.requests.last?.headers["if-range"] == "\"1\"")
    }
  }

  @Test("what an earlier process fetched is gone on with, unless the content has changed since")
  func resume() throws {
    let (old, new) = (try weightsFile(), try weightsFile(seed: 2))
    for isChanged in [false, true] {
      let server = try LocalServer { request, number in
        if number == 0 { return LocalServer.Reply(file: old, tag: "\"1\"", to: request).cut(after: 100_000) }
        if number < 3 { return LocalServer.Reply([], status: 503) }
        return isChanged
          ? .init(file: new, tag: "\"2\"", to: request) : .init(file: old, tag: "\"1\"", to: request)
      }
      try withCache { cache throws in
        let error = try failure(cache, server)
        #expect(error.kind == .unavailable(status: 503, retryAfter: nil))
        #expect(try pull(cache, server) == (isChanged ? new : old))
        #expect(server.requests.map(\.rangeStart) == [nil, 100_000, 100_000, 100_000])
      }
    }
  }

  @Test("a server that mixes old and new content is found out by the digest, and all is fetched anew")
  func mixture() throws {
    let (old, new) = (try weightsFile(), try weightsFile(seed: 2))
    let server = try LocalServer { request, number in
      if number == 0 { return LocalServer.Reply(file: old, tag: "\"1\"", to: request).cut(after: 100_000) }
      return .init(file: new, tag: request.headers["if-range"] ?? "\"2\"", to: request)
    }
    try withCache { cache throws in
      #expect(try pull(cache, server, .sha256(sha256(new))) == new)
      #expect(server.requests.map(\.rangeStart) == [nil, 100_000, nil])
    }
  }

  @Test("servers without ranges, without tags, with another range than asked for, and with none left")
  func ranges() throws {
    let file = try weightsFile()
    try withCache { cache throws in
      let server = try LocalServer { _, number in
        let reply = LocalServer.Reply(file, headers: ["ETag": "\"1\""])
        return number == 0 ? reply.cut(after: 70_000) : reply
      }
      #expect(try pull(cache, server) == file)
      #expect(server.requests.map(\.rangeStart) == [nil, 70_000])
    }
    try withCache { cache throws in
      let server = try LocalServer { request, number in
        if number == 0 { return LocalServer.Reply(file: file, tag: "\"1\"", to: request).cut(after: 70_000) }
        if number > 1 { return .init(file: file, tag: "\"1\"", to: request) }
        return .init(
          Array(file[10...]), status: 206,
          headers: ["Content-Range": "bytes 10-\(file.count - 1)/\(file.count)"])
      }
      #expect(try pull(cache, server) == file)
      #expect(server.requests.map(\.rangeStart) == [nil, 70_000, nil])
    }
    try withCache { cache throws in
      let server = try LocalServer { request, number in
        if number == 0 { return LocalServer.Reply(file: file, tag: "\"1\"", to: request).cut(after: 70_000) }
        return number == 1 ? .init([], status: 416) : .init(file: file, tag: "\"1\"", to: request)
      }
      #expect(try pull(cache, server) == file)
      #expect(server.requests.map(\.rangeStart) == [nil, 70_000, nil])
    }
  }

  @Test("silence is not waited for without end")
  func stall() throws {
    let file = try weightsFile()
    let server = try LocalServer { request, number in
      var reply = LocalServer.Reply(file: file, tag: "\"1\"", to: request)
      if number == 0 {
        reply.sent = 80_000
        reply.silence = 6
      }
      return reply
    }
    try withCache { cache throws in
      let start = Date()
      #expect(try pull(cache, server) == file)
      #expect(Date().timeIntervalSince(start) < 5)
      #expect(server.requests.map(\.rangeStart) == [nil, 80_000])
    }
  }
}
