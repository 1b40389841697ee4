import AviaryTensors
import Foundation

/// Files of weights that were downloaded, each called by the SHA-256 of its content, in a folder of the user's.
///
/// `weights/<sha256>` are the files, `weights/index.json` says what they are, `weights/repositories` are files under the paths of
/// their publisher, `weights/companions` are those that belong to weights, `weights/partial` holds downloads that are not complete and `weights/locks` what keeps processes from doing the same work
/// twice. A folder with files and an index is a bundle as well: carried to
/// another machine, it is added to the cache there.
public struct WeightCache: Sendable {
  /// A file in the cache.
  public struct Entry: Sendable, Equatable {
    /// What it is pulled by: `resnet50.tv_v1`.
    public let name: String
    /// Where it lies, under a name that says nothing of its format.
    public let path: String
    /// The name it is published under.
    public let file: String
    /// Its length in bytes when it was last found whole.
    public let byteCount: Int
    /// SHA-256 of the whole file, 64 lower-case hexadecimal digits.
    public let sha256: String
    /// The address of its publisher, even when a mirror sent it; nil where the index has none.
    public let url: String?
    /// Files that belong to it: a vocabulary, say.
    public let companions: [Companion]
    /// Where ``companions`` lie under their own names; there is no such folder where there are none.
    public let companionFolder: String
  }

  /// A file that belongs to weights, under the name that it is published under.
  public struct Companion: Sendable, Equatable {
    /// Its name.
    public let file: String
    /// Its length in bytes.
    public let byteCount: Int
    /// SHA-256 of the whole file, 64 lower-case hexadecimal digits.
    public let sha256: String
  }

  let folder: String

  /// The cache to use in a scope instead of the user's.
  @TaskLocal package static var current: WeightCache?

  /// The cache in a folder, which need not be there yet.
  public init(folder: String) { self.folder = folder + "/weights" }

  /// The cache in `$AVIARY_CACHE`, else in `aviary` in the user's cache folder (`$XDG_CACHE_HOME`, else `~/.cache`): where the measured algorithms are too.
  ///
  /// Throws ``WeightsError`` where the environment names no such folder.
  public static func user(
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws -> WeightCache {
    if let current { return current }
    guard let folder = CacheFolder.path(environment: environment) else {
      throw WeightsError(.unreadable, "there is no folder for a cache: set AVIARY_CACHE or HOME")
    }
    return WeightCache(folder: folder)
  }

  // MARK: Looking up

  /// Everything in the cache, by name.
  public func entries() throws -> [Entry] {
    try CacheIndex(folder: folder).entries.sorted { $0.key < $1.key }.map { entry($0.key, $0.value) }
  }

  /// Whether there is a file called `name`; reads nothing of it.
  public func contains(_ name: String) -> Bool {
    guard let known = try? CacheIndex(folder: folder).entries[name] else { return false }
    return FileStamp(path(known)) != nil
  }

  /// The file of weights called `name`, nil when there is none.
  ///
  /// A file that was changed since it was last found whole is read and compared with its digest, and so are its companions, which are short.
  /// - Throws: ``WeightsError`` when it, or one of them, is damaged.
  public func file(_ name: String) throws -> Entry? {
    guard let found = try fileAlone(name) else { return nil }
    try verifyCompanions(of: found)
    return found
  }

  /// As ``file(_:)``, whatever its companions are.
  func fileAlone(_ name: String) throws -> Entry? {
    guard let known = try CacheIndex(folder: folder).entries[name], let stamp = FileStamp(path(known)) else {
      return nil
    }
    if stamp.byteCount != known.byteCount || stamp.modified != known.modified {
      try verify(name, known)
    }
    return entry(name, known)
  }

  /// Reads the whole file called `name` and compares it with its digest; throws ``WeightsError`` when they differ or it is gone.
  public func verify(_ name: String) throws {
    guard let known = try CacheIndex(folder: folder).entries[name] else {
      throw WeightsError(.unreadable, "\(name.quoted) is not in the cache", file: folder)
    }
    try verify(name, known)
    try verifyCompanions(of: entry(name, known))
  }

  private func verify(_ name: String, _ known: CacheIndex.Entry) throws {
    let path = path(known)
    guard let stamp = FileStamp(path) else {
      throw WeightsError(.unreadable, "the cache lacks this file of \(name)", file: path)
    }
    guard stamp.byteCount == known.byteCount, try FileDigests(ofFile: path).sha256 == known.sha256 else {
      throw WeightsError(
        .malformed, "the cached file of \(name) is damaged; 'aviary pull \(name)' fetches it again",
        file: path)
    }
    // A cache that may only be read is as good; it is compared again the next time.
    try? update { index in
      if index.entries[name]?.sha256 == known.sha256 { index.entries[name]?.modified = stamp.modified }
    }
  }

  // MARK: Filling

  /// The file of weights called `name`, fetched when it is not here.
  ///
  /// Of several processes that want the same file one fetches it and the others wait. A damaged file is fetched again; a whole one is
  /// enough in a cache that may only be read.
  /// - Parameters:
  ///   - file: the name it is published under.
  ///   - companions: files that belong to it; those that are not here are fetched, whether it is or not.
  ///   - origin: the address of its publisher, when the download is from another.
  ///   - isForced: fetches it whether it is here or not.
  ///   - accept: throws `WeightsError` for a file that can be read but is not what it should be.
  ///   - waiting: called when another process is fetching it.
  /// - Throws: ``DownloadError`` or ``WeightsError``; the cache is then as it was.
  package func pull(
    _ name: String, file: String, _ download: Download, publishedAt origin: String? = nil,
    companions: [CompanionDownload] = [], isForced: Bool = false,
    policy: Download.Policy = .init(), accept: (WeightFile) throws -> Void = { _ in },
    waiting: () -> Void = {}, report: @escaping (Download.Event) -> Void = { _ in }
  ) throws -> Entry {
    // A damaged index would show only after the download.
    _ = try CacheIndex(folder: folder)
    if !isForced, let found = try? self.file(name), found.has(companions) { return found }
    try makeFolder("locks")
    try makeFolder("partial")
    return try FileLock.hold("\(folder)/locks/\(fileName(name))", waiting: waiting) {
      let known = try CacheIndex(folder: folder).entries[name]?.companions ?? []
      if !isForced, let found = try? fileAlone(name) {
        return try pull(companions, of: found, known: known, policy: policy, report: report)
      }
      let partial = "\(folder)/partial/\(fileName(name))"
      let digests = try download.fetch(to: partial, policy: policy, report: report)
      defer { unlink(partial + ".json") }
      do {
        // Its own header shows what a server that publishes no digest cut off.
        try accept(try WeightFile.open(partial))
      } catch let error as WeightsError {
        unlink(partial)
        throw DownloadError(.wrongContent, download.url, "what came cannot be used: \(error.reason)")
      }
      let found = try admit(
        partial, name, file: file, url: origin ?? download.url.withoutCredentials,
        sha256: digests.sha256)
      return try pull(
        companions, of: found, known: isForced ? [] : known, policy: policy, report: report)
    }
  }

  /// Moves a checked file into its place and enters it.
  func admit(_ source: String, _ name: String, file: String, url: String?, sha256: String) throws
    -> Entry
  {
    let target = "\(folder)/\(sha256)"
    // A folder in the file's place would not be replaced.
    if FileStamp(target) == nil { try? FileManager.default.removeItem(atPath: target) }
    guard rename(source, target) == 0, let stamp = FileStamp(target) else {
      throw WeightsError(.unwritable, "cannot write: \(String(cString: strerror(errno)))", file: target)
    }
    AtomicFile.flushFolder(of: target)
    let known = CacheIndex.Entry(
      sha256: sha256, byteCount: stamp.byteCount, modified: stamp.modified, file: file, url: url)
    var replaced: CacheIndex.Entry?
    try update { index in
      replaced = index.entries.updateValue(known, forKey: name)
      if let old = replaced, index.entries.values.contains(where: { $0.sha256 == old.sha256 }) {
        replaced = nil
      }
    }
    if let replaced { unlink(path(replaced)) }
    return entry(name, known)
  }

  /// Removes everything, unfinished downloads and a damaged index too; returns the bytes that are free then.
  ///
  /// On a full disk there may be no room for a lock: then it is done without.
  @discardableResult public func clear() throws -> Int {
    do {
      try makeFolder("locks")
      return try FileLock.hold("\(folder)/locks/index", removeAll)
    } catch let error as WeightsError where error.kind == .unwritable {
      return try removeAll()
    }
  }

  private func removeAll() throws -> Int {
    var freed = 0
    func remove(_ folder: String, where isOurs: (String) -> Bool) {
      for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] where isOurs(name) {
        freed += FileStamp("\(folder)/\(name)")?.byteCount ?? 0
        try? FileManager.default.removeItem(atPath: "\(folder)/\(name)")
      }
    }
    // Without an index the cache is empty, and removing one needs no room.
    let index = "\(folder)/\(CacheIndex.fileName)"
    guard unlink(index) == 0 || errno == ENOENT else {
      throw WeightsError(.unwritable, "cannot remove: \(String(cString: strerror(errno)))", file: index)
    }
    remove(folder, where: CacheIndex.Entry.isDigest)
    remove("\(folder)/partial") { _ in true }
    for folder in ["repositories", "companions"].map({ "\(folder)/\($0)" }) {
      for file in FileManager.default.enumerator(atPath: folder)?.compactMap({ $0 as? String }) ?? [] {
        freed += FileStamp("\(folder)/\(file)")?.byteCount ?? 0
      }
      try? FileManager.default.removeItem(atPath: folder)
    }
    return freed
  }

  // MARK: Places

  func path(_ known: CacheIndex.Entry) -> String { "\(folder)/\(known.sha256)" }

  func entry(_ name: String, _ known: CacheIndex.Entry) -> Entry {
    Entry(
      name: name, path: path(known), file: known.file, byteCount: known.byteCount, sha256: known.sha256,
      url: known.url,
      companions: (known.companions ?? []).map {
        Companion(file: $0.file, byteCount: $0.byteCount, sha256: $0.sha256)
      }, companionFolder: "\(folder)/companions/\(fileName(name))")
  }

  /// A name as a file's: what separates folders is taken out.
  func fileName(_ name: String) -> String {
    "_" + name.map { $0.isLetter || $0.isNumber || "._-".contains($0) ? $0 : "_" }
  }

  func makeFolder(_ name: String) throws {
    let path = "\(folder)/\(name)"
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw WeightsError(.unwritable, "the cache's folder cannot be made", file: path)
    }
  }

  /// Changes the index while no other process does.
  func update(_ body: (inout CacheIndex) throws -> Void) throws {
    try makeFolder("locks")
    try FileLock.hold("\(folder)/locks/index") {
      var index = try CacheIndex(folder: folder)
      let before = index
      try body(&index)
      if index != before { try index.write(folder: folder) }
    }
  }
}
