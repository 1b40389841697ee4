import Foundation
import TestSupport
import Testing

@testable import AviaryWeights

@Suite("Repositories of files with stated digests", .serialized)
struct RepositoryTests {
  private static let weights = [UInt8](repeating: 7, count: 3000)
  private static let config = Array(#"{"sample_size": 32}"#.utf8)

  private static func gitName(_ bytes: [UInt8]) -> String {
    let digest = Digest(.sha1)
    (Array("blob \(bytes.count)\0".utf8) + bytes).withUnsafeBytes { digest.update($0) }
    return digest.finished()
  }

  private static func listing(config: String = gitName(config), path: String = "unet/config.json") -> String {
    let sha256 = weights.withUnsafeBytes(Digest.hex)
    let blank = String(repeating: "0", count: 40)
    return """
      [{"type": "directory", "path": "unet", "oid": "\(blank)", "size": 0},
       {"type": "file", "path": "\(path)", "oid": "\(config)", "size": \(Self.config.count)},
       {"type": "file", "path": "unet/model.safetensors", "oid": "\(blank)", "size": 3000,
        "lfs": {"oid": "\(sha256)", "size": 3000, "pointerSize": 134}},
       {"type": "file", "path": "unet/model.bin", "oid": "\(blank)", "size": 9000},
       {"type": "file", "path": "README.md", "oid": "\(blank)", "size": 10}]
      """
  }

  private func server(_ listing: String = listing()) throws -> LocalServer {
    try LocalServer { request, _ in
      if request.path.hasPrefix("/api/models/owner/name/tree/main?recursive=true") {
        return .init(Array(listing.utf8), headers: ["Content-Type": "application/json"])
      }
      switch request.path {
      case "/owner/name/resolve/main/unet/config.json":
        return .init(file: Self.config, tag: "\"c\"", to: request)
      case "/owner/name/resolve/main/unet/model.safetensors":
        return .init(file: Self.weights, tag: "\"w\"", to: request)
      default: return .init([], status: 404)
      }
    }
  }

  private func withCache(_ body: (WeightCache, _ folder: String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "aviary-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try body(WeightCache(folder: folder), folder)
  }

  @Test(
    "files lie under their own paths, are asked for once, and fetched again when they are not what is stated")
  func pull() throws {
    let server = try server()
    let repository = try HuggingFaceRepository(parsing: "hf:owner/name")
    try withCache { cache, _ in
      let first = try cache.pull(repository, server: server.address)
      #expect(first.files == ["unet/config.json", "unet/model.safetensors"])
      #expect(first.leftOut == ["README.md", "unet/model.bin"])
      #expect(first.byteCount == Self.config.count + 3000)
      #expect(FileManager.default.contents(atPath: "\(first.folder)/unet/config.json") == Data(Self.config))
      #expect(server.requests.count == 3)
      _ = try cache.pull(repository, server: server.address)
      #expect(server.requests.count == 4)
      try Data(Self.config.reversed()).write(to: URL(filePath: "\(first.folder)/unet/config.json"))
      #expect(try cache.pull(repository, server: server.address) == first)
      #expect(server.requests.count == 6)
      #expect(FileManager.default.contents(atPath: "\(first.folder)/unet/config.json") == Data(Self.config))
      let offline = try cache.pull(repository, isOffline: true)
      #expect(offline.files == first.files && offline.byteCount == first.byteCount)
      #expect(try cache.clear() >= 3000)
      #expect(throws: DownloadError.self) { try cache.pull(repository, isOffline: true) }
    }
  }

  @Test(
    "a file that is not what is stated, and lists that could lead anywhere, are refused",
    arguments: [
      (listing(config: String(repeating: "a", count: 40)), "name in Git"),
      (listing(config: "xyz"), "nothing states"), (listing(path: "../../config.json"), "a file is called"),
      (listing(path: "/etc/config.json"), "a file is called"), ("{\"error\": 1}", "the list of files"),
      ("[]", "no weights"), ("<html>", "web page"),
    ])
  func refused(listing: String, sentence: String) throws {
    let server = try server(listing)
    try withCache { cache, folder in
      let error = #expect(throws: DownloadError.self) {
        try cache.pull(try HuggingFaceRepository(parsing: "hf:owner/name"), server: server.address)
      }
      #expect(error?.description.contains(sentence) == true, "\(String(describing: error))")
      #expect(!FileManager.default.fileExists(atPath: "\(folder)/config.json"))
    }
  }

  @Test("names of repositories")
  func names() throws {
    let repository = try HuggingFaceRepository(parsing: "hf:google/ddpm-cifar10-32@refs/pr/3")
    #expect(repository.name == "google/ddpm-cifar10-32" && repository.revision == "refs/pr/3")
    #expect(repository.listAddress("x").contains("/tree/refs%2Fpr%2F3?"))
    for text in [
      "hf:name", "hf:a/b/c", "hf:a/..", "hf:/b", "hf:a/b@", "hf:a/b@../c", "a/b", "hf:a b/c", "hf:a/b?x",
    ] {
      #expect(throws: HuggingFaceRepository.Malformed.self, "\(text)") {
        try HuggingFaceRepository(parsing: text)
      }
    }
  }
}
