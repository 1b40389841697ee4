import AviaryTensors
import Foundation
import TestSupport
import Testing

@testable import AviaryWeights

@Suite("The cache of weights", .serialized)
struct CacheTests {
  /// A cache with one file in it.
  private func withFilledCache(_ body: (WeightCache, _ path: String, _ file: [UInt8]) throws -> Void) throws {
    let file = try weightsFile()
    let server = try LocalServer { request, _ in .init(file: file, tag: "\"1\"", to: request) }
    try withCache { cache throws in
      let entry = try cache.pull(
        "net.tv", file: "net.pth", Download(url: server.address + "/net.pth"), policy: .impatient)
      try body(cache, entry.path, file)
    }
  }

  @Test("a changed file is compared with its digest before it is used")
  func damage() throws {
    try withFilledCache { cache, path, file throws in
      // Touched only: read once more, and as good as before.
      try FileManager.default.setAttributes(
        [.modificationDate: Date(timeIntervalSince1970: 1)], ofItemAtPath: path)
      #expect(try cache.file("net.tv")?.path == path)
      #expect(try CacheIndex(folder: cache.folder).entries["net.tv"]?.modified == 1_000_000_000)
      var damaged = file
      damaged[damaged.count - 9] ^= 1
      try Data(damaged).write(to: URL(fileURLWithPath: path))
      let error = #expect(throws: WeightsError.self) { try cache.file("net.tv") }
      #expect(error?.description.contains("aviary pull net.tv'") == true)
      #expect(throws: WeightsError.self) { try cache.verify("net.tv") }
      unlink(path)
      #expect(try cache.file("net.tv") == nil)
      #expect(!cache.contains("net.tv"))
    }
  }

  @Test("clearing leaves nothing")
  func clear() throws {
    try withFilledCache { cache, path, file throws in
      #expect(try cache.clear() == file.count)
      #expect(try cache.entries().isEmpty)
      #expect(!FileManager.default.fileExists(atPath: path))
    }
  }

  @Test("a damaged index is said to be, and clearing mends it")
  func damagedIndex() throws {
    try withFilledCache { cache, path, _ throws in
      try Data("{bad".utf8).write(to: URL(fileURLWithPath: "\(cache.folder)/\(CacheIndex.fileName)"))
      let error = #expect(throws: WeightsError.self) { try cache.entries() }
      #expect(error?.description.contains("'aviary cache clear'") == true)
      // Before anything is downloaded.
      #expect(throws: WeightsError.self) {
        try cache.pull("net.tv", file: "x", Download(url: "http://127.0.0.1:1/x"), policy: .impatient)
      }
      try cache.clear()
      #expect(try cache.entries().isEmpty && !FileManager.default.fileExists(atPath: path))
    }
  }

  @Test("pulling takes what is there without writing, and fetches what is damaged again")
  func pullingAgain() throws {
    let file = try weightsFile()
    let server = try LocalServer { request, _ in .init(file: file, tag: "\"1\"", to: request) }
    try withCache { cache throws in
      func pull() throws -> WeightCache.Entry {
        try cache.pull("net.tv", file: "x", Download(url: server.address + "/x"), policy: .impatient)
      }
      let entry = try pull()
      // Nothing can be locked where a file is in the place of the folder of locks.
      let locks = "\(cache.folder)/locks"
      try FileManager.default.removeItem(atPath: locks)
      try Data().write(to: URL(fileURLWithPath: locks))
      #expect(try pull() == entry && server.requests.count == 1)
      try FileManager.default.removeItem(atPath: locks)
      try Data(file.dropLast(3)).write(to: URL(fileURLWithPath: entry.path))
      #expect(try pull() == entry && server.requests.count == 2)
      #expect(FileManager.default.contents(atPath: entry.path) == Data(file))
    }
  }

  @Test("the place: a scope's, the variable's, the user's")
  func place() throws {
    let named = try WeightCache.user(environment: ["AVIARY_CACHE": "/a", "HOME": "/h"])
    #expect(named.folder == "/a/weights")
    #expect(
      try WeightCache.user(environment: ["XDG_CACHE_HOME": "/x", "HOME": "/h"]).folder == "/x/aviary/weights")
    #expect(try WeightCache.user(environment: ["HOME": "/h"]).folder == "/h/.cache/aviary/weights")
    #expect(throws: WeightsError.self) { try WeightCache.user(environment: [:]) }
    // Empty is none: no folder below the root.
    #expect(throws: WeightsError.self) { try WeightCache.user(environment: ["HOME": ""]) }
    #expect(
      try WeightCache.user(environment: ["XDG_CACHE_HOME": "", "HOME": "/h"]).folder
        == "/h/.cache/aviary/weights")
    try WeightCache.$current.withValue(WeightCache(folder: "/s")) { () throws in
      #expect(try WeightCache.user(environment: ["AVIARY_CACHE": "/a"]).folder == "/s/weights")
    }
  }

  @Test("clearing works where nothing can be locked or written, as on a full disk")
  func clearWithoutRoom() throws {
    try withFilledCache { cache, path, file throws in
      let locks = "\(cache.folder)/locks"
      try FileManager.default.removeItem(atPath: locks)
      try Data().write(to: URL(fileURLWithPath: locks))
      #expect(try cache.clear() >= file.count)
      #expect(!FileManager.default.fileExists(atPath: path))
      #expect(try cache.entries().isEmpty)
    }
  }

  @Test("a folder in a file's place is replaced, a lock that is a link is not followed")
  func oddPlaces() throws {
    let file = try weightsFile()
    let server = try LocalServer { request, _ in .init(file: file, tag: "\"1\"", to: request) }
    try withFilledCache { cache, path, _ throws in
      unlink(path)
      try FileManager.default.createDirectory(atPath: path + "/inside", withIntermediateDirectories: true)
      #expect(try pull(cache, server) == file)
      let target = cache.folder + "/elsewhere"
      let lock = cache.folder + "/locks/_net.tv"
      unlink(lock)
      try FileManager.default.createSymbolicLink(atPath: lock, withDestinationPath: target)
      #expect(throws: WeightsError.self) { try pull(cache, server, isForced: true) }
      #expect(!FileManager.default.fileExists(atPath: target))
    }
  }

  @Test("times of other centuries are compared like any others")
  func distantTimes() throws {
    try withFilledCache { cache, path, _ throws in
      for seconds in [-10_000_000_000, 10_000_000_000] {
        var times = [timespec(tv_sec: seconds, tv_nsec: 0), timespec(tv_sec: seconds, tv_nsec: 0)]
        try #require(utimensat(AT_FDCWD, path, &times, 0) == 0)
        #expect(try cache.file("net.tv")?.path == path)
      }
    }
  }

  @Test("a bundle goes to another machine's cache")
  func bundle() throws {
    try withFilledCache { cache, _, file throws in
      let folder = cache.folder + "-bundle"
      defer { try? FileManager.default.removeItem(atPath: folder) }
      try cache.bundle(["net.tv"], to: folder)
      #expect(throws: WeightsError.self) { try cache.bundle(["net.tv"], to: folder) }
      #expect(throws: WeightsError.self) { try cache.bundle(["other.tv"], to: folder + "2") }
      #expect(!FileManager.default.fileExists(atPath: folder + "2"))
      try withCache { other throws in
        let digest = sha256(file)
        #expect(throws: DownloadError.self) {
          try other.add(bundle: folder) { _, _ in .md5(String(repeating: "0", count: 32)) }
        }
        #expect(try other.entries().isEmpty)
        #expect(try other.add(bundle: folder) { _, _ in .sha256(digest) }.map(\.name) == ["net.tv"])
        #expect(try other.file("net.tv")?.sha256 == digest)
      }
    }
  }

  @Test("bundles that are damaged, lead elsewhere or are none")
  func hostileBundles() throws {
    try withFilledCache { cache, path, file throws in
      let digest = sha256(file)
      let folder = cache.folder + "-bundle"
      func refused(_ prepare: () throws -> Void) throws {
        try cache.bundle(["net.tv"], to: folder)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try prepare()
        try withCache { other throws in
          #expect(throws: WeightsError.self) { try other.add(bundle: folder) }
          #expect(try other.entries().isEmpty)
        }
      }
      func index(_ change: (String) -> String) throws {
        let path = folder + "/index.json"
        try change(String(contentsOfFile: path, encoding: .utf8)).write(
          toFile: path, atomically: true, encoding: .utf8)
      }
      try refused { try Data(file.dropLast(1)).write(to: URL(fileURLWithPath: "\(folder)/\(digest)")) }
      try refused {
        var flipped = file
        flipped[500] ^= 1
        try Data(flipped).write(to: URL(fileURLWithPath: "\(folder)/\(digest)"))
      }
      try refused { unlink("\(folder)/\(digest)") }
      try refused {
        unlink("\(folder)/\(digest)")
        try FileManager.default.createSymbolicLink(atPath: "\(folder)/\(digest)", withDestinationPath: path)
      }
      try refused { try index { $0.replacingOccurrences(of: digest, with: "../../../../etc/passwd") } }
      try refused { try index { $0.replacingOccurrences(of: digest, with: digest.uppercased()) } }
      try refused { try index { $0.replacingOccurrences(of: "\"version\" : 1", with: "\"version\" : 2") } }
      try refused { try index { String($0.dropLast(9)) } }
      try refused { unlink("\(folder)/index.json") }
    }
  }
}
