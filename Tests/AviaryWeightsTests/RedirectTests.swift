import Foundation
import TestSupport
import Testing

@testable import AviaryWeights

@Suite("Where downloads may come from", .serialized)
struct RedirectTests {
  private static let noServer: Comment = "there is no openssl, which the HTTPS server is made of"

  @Test("redirects are followed, but not in a circle or to another protocol")
  func redirects() throws {
    let file = try weightsFile()
    try withCache { cache throws in
      let server = try LocalServer { request, _ in
        request.path == "/there"
          ? .init(file: file, tag: "\"1\"", to: request)
          : .init(Array("<html>moved</html>".utf8), status: 302, headers: ["Location": "/there"])
      }
      #expect(try pull(cache, server) == file)
      let circle = try LocalServer { _, _ in .init([], status: 301, headers: ["Location": "/net.pth"]) }
      try cache.clear()
      #expect(try failure(cache, circle).reason.contains("redirects"))
      let local = try LocalServer { _, _ in
        .init([], status: 302, headers: ["Location": "file:///etc/passwd"])
      }
      #expect(try failure(cache, local).kind == .rejected(status: nil))
    }
  }

  @Test("a certificate must be trusted and for this server", .enabled(if: SecureServer.isAvailable, noServer))
  func certificates() throws {
    let file = try weightsFile()
    let server = try SecureServer(["net.pth": .init(file)])
    let stranger = try SecureServer(["net.pth": .init(file)], host: "DNS:elsewhere.example")
    try withCache { cache throws in
      func pull(_ server: SecureServer, _ environment: [String: String]) throws -> Int {
        try cache.pull(
          "net.tv", file: "net.pth", Download(url: server.address + "/net.pth"), isForced: true,
          policy: .impatient(environment)
        ).byteCount
      }
      for environment in [[:], ["SSL_CERT_FILE": stranger.certificate]] {
        let error = #expect(throws: DownloadError.self) { try pull(server, environment) }
        #expect(error?.kind == .rejected(status: nil), "\(String(describing: error))")
        #expect(error?.reason.contains("certificate is not trusted (self-signed certificate)") == true)
        #expect(error?.reason.contains("CURL_CA_BUNDLE") == true)
      }
      for variable in ["CURL_CA_BUNDLE", "SSL_CERT_FILE"] {
        #expect(try pull(server, [variable: server.certificate]) == file.count)
      }
      let other = #expect(throws: DownloadError.self) {
        try pull(stranger, ["CURL_CA_BUNDLE": stranger.certificate])
      }
      #expect(other?.kind == .rejected(status: nil) && other?.reason.contains("127.0.0.1") == true)
      let missing = #expect(throws: DownloadError.self) {
        try pull(server, ["CURL_CA_BUNDLE": "/no/such/bundle"])
      }
      #expect(missing?.reason.contains("/no/such/bundle") == true, "\(String(describing: missing))")
    }
  }

  /// As with curl and browsers: what was asked for securely must not be answered insecurely, and nothing on the web leads to a local file.
  @Test(
    "from HTTPS to HTTP, and to files, no redirect is followed",
    .enabled(if: SecureServer.isAvailable, noServer))
  func downgrade() throws {
    let file = try weightsFile()
    let plain = try LocalServer { request, _ in .init(file: file, tag: "\"1\"", to: request) }
    @Sendable func moved(_ place: String) -> LocalServer.Reply {
      .init([], status: 302, headers: ["Location": place])
    }
    let server = try SecureServer([
      "net.pth": .init(file), "down": moved(plain.address + "/net.pth"), "file": moved("file:///etc/passwd"),
      "same": moved("/net.pth"),
    ])
    let policy = Download.Policy.impatient(["CURL_CA_BUNDLE": server.certificate])
    try withCache { cache throws in
      func pull(_ url: String) throws -> Int {
        try cache.pull("net.tv", file: "net.pth", Download(url: url), isForced: true, policy: policy)
          .byteCount
      }
      for name in ["down", "file"] {
        let error = #expect(throws: DownloadError.self) { try pull("\(server.address)/\(name)") }
        #expect(error?.kind == .rejected(status: nil))
        #expect(error?.reason.contains("redirects from https") == true, "\(String(describing: error))")
      }
      #expect(plain.requests.isEmpty)
      #expect(try pull(server.address + "/same") == file.count)
      let upgrade = try LocalServer { _, _ in moved(server.address + "/net.pth") }
      #expect(try pull(upgrade.address + "/x") == file.count)
    }
  }

  @Test(
    "an address of the other protocol than the server speaks",
    .enabled(if: SecureServer.isAvailable, noServer))
  func protocols() throws {
    let file = try weightsFile()
    let plain = try LocalServer { request, _ in .init(file: file, tag: "\"1\"", to: request) }
    let secure = try SecureServer(["net.pth": .init(file)])
    try withCache { cache throws in
      for address in [
        plain.address.replacingOccurrences(of: "http:", with: "https:"),
        secure.address.replacingOccurrences(of: "https:", with: "http:"),
      ] {
        #expect(throws: DownloadError.self) {
          try cache.pull("net.tv", file: "x", Download(url: address + "/net.pth"), policy: .impatient)
        }
      }
    }
  }
}
