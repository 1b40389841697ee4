import AviaryTensors
import Foundation

/// A file that belongs to weights, to be fetched.
package struct CompanionDownload: Sendable {
  /// The name that it has beside the weights.
  package let file: String
  let download: Download

  /// No vocabulary or configuration comes near this.
  private static let mostBytes = 64 << 20

  /// A file called `file`; without a digest it is text that is no web page, whatever its length.
  package init(file: String, url: String, digest: PublishedDigest?, byteCount: Int?) {
    require(CacheIndex.Entry.Companion.isName(file), "a file beside weights called \(file)")
    self.file = file
    download = Download(
      url: url, digest: digest, byteCount: byteCount, mostBytes: Self.mostBytes,
      content: digest == nil ? .text : .anything)
  }
}

extension WeightCache.Entry {
  /// Whether all of these are there.
  func has(_ wanted: [CompanionDownload]) -> Bool {
    wanted.allSatisfy { wanted in companions.contains { $0.file == wanted.file } }
  }
}

extension WeightCache {
  /// Compares the files that belong to weights with their digests; throws ``WeightsError`` naming the first one that is damaged or gone.
  func verifyCompanions(of entry: Entry) throws {
    for companion in entry.companions {
      let path = "\(entry.companionFolder)/\(companion.file)"
      guard FileStamp(path)?.byteCount == companion.byteCount,
        try FileDigests(ofFile: path).sha256 == companion.sha256
      else {
        throw WeightsError(
          .malformed,
          "the cached \(companion.file) of \(entry.name) is damaged; 'aviary pull \(entry.name)' fetches it again",
          file: path)
      }
    }
  }

  /// Fetches what of the files that belong to some weights is not here or damaged, and enters them. Whoever calls it holds the lock of the weights.
  ///
  /// - Parameter known: those that were here before.
  func pull(
    _ companions: [CompanionDownload], of entry: Entry, known: [CacheIndex.Entry.Companion],
    policy: Download.Policy, report: @escaping (Download.Event) -> Void
  ) throws -> Entry {
    if companions.isEmpty { return entry }
    let folder = "companions/\(fileName(entry.name))"
    try makeFolder("partial")
    try makeFolder(folder)
    let found = try companions.map { wanted in
      let path = "\(entry.companionFolder)/\(wanted.file)"
      let url = wanted.download.url
      if let known = known.first(where: { $0.file == wanted.file }),
        FileStamp(path)?.byteCount == known.byteCount, let digests = try? FileDigests(ofFile: path),
        digests.sha256 == known.sha256,
        (try? wanted.download.digest?.check(digests, url: url)) != nil
          || wanted.download.digest == nil
      {
        return known
      }
      let partial = "\(self.folder)/partial/\(fileName("\(entry.name).\(wanted.file)"))"
      let digests = try wanted.download.fetch(to: partial, policy: policy, report: report)
      unlink(partial + ".json")
      return try admit(companion: partial, wanted.file, in: folder, sha256: digests.sha256)
    }
    return try enter(found, of: entry.name)
  }

  /// Moves a checked file to its place.
  func admit(
    companion source: String, _ file: String, in place: String, sha256: String
  ) throws -> CacheIndex.Entry.Companion {
    let target = "\(folder)/\(place)/\(file)"
    guard rename(source, target) == 0, let stamp = FileStamp(target) else {
      throw WeightsError(.unwritable, "cannot write: \(String(cString: strerror(errno)))", file: target)
    }
    AtomicFile.flushFolder(of: target)
    return .init(file: file, sha256: sha256, byteCount: stamp.byteCount)
  }

  /// Says in the index which files belong to weights.
  func enter(_ companions: [CacheIndex.Entry.Companion], of name: String) throws -> Entry {
    var known: CacheIndex.Entry?
    try update { index in
      index.entries[name]?.companions = companions
      known = index.entries[name]
    }
    guard let known else {
      throw WeightsError(.unreadable, "\(name.quoted) is not in the cache any more", file: folder)
    }
    return entry(name, known)
  }
}
