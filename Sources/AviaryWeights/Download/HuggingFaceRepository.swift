import Foundation

/// A repository of models on Hugging Face, or a server of the same interface: what files it has, and the digests that it states for them.
public struct HuggingFaceRepository: Sendable, Hashable {
  /// `OWNER/NAME`.
  public let name: String
  /// A branch, a tag or a commit.
  public let revision: String

  /// The server of all repositories.
  public static let server = "https://huggingface.co"

  /// What a command line calls a repository begins so.
  public static let prefix = "hf:"

  /// A text that begins with ``prefix`` names no repository.
  public struct Malformed: Error, CustomStringConvertible, Equatable {
    /// What was given.
    public let text: String
    public var description: String {
      "'\(text)' names no repository: hf:OWNER/NAME, with @REVISION behind it for another than main"
    }
  }

  /// `hf:OWNER/NAME[@REVISION]`. Throws ``Malformed``.
  public init(parsing text: String) throws(Malformed) {
    let parts = text.dropFirst(Self.prefix.count).split(
      separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
    let names = (parts.first ?? "").split(separator: "/", omittingEmptySubsequences: false)
    let revision = parts.count > 1 ? String(parts[1]) : "main"
    guard text.hasPrefix(Self.prefix), names.count == 2, names.allSatisfy({ Self.isName($0) }),
      revision.split(separator: "/", omittingEmptySubsequences: false).allSatisfy({ Self.isName($0) })
    else { throw Malformed(text: text) }
    name = names.joined(separator: "/")
    self.revision = revision
  }

  /// Letters, digits and a few signs, none of which can lead out of a folder or into another part of an address.
  private static func isName(_ part: Substring) -> Bool {
    !part.isEmpty && part.count <= 128 && !part.hasPrefix(".")
      && part.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) }
  }

  /// A file of the repository, with what the server states of it.
  struct File: Sendable, Equatable {
    /// Below the repository's folder.
    let path: String
    let byteCount: Int
    let digest: PublishedDigest
  }

  /// The most bytes of a listing, and the most files of one.
  static let (mostListed, mostFiles) = (16 << 20, 1000)

  func listAddress(_ server: String) -> String {
    "\(server)/api/models/\(name)/tree/\(escapedRevision)?recursive=true&limit=\(Self.mostFiles)"
  }

  func address(of file: File, _ server: String) -> String {
    let path = file.path.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) ?? file.path
    return "\(server)/\(name)/resolve/\(escapedRevision)/\(path)"
  }

  /// A branch with a slash in its name is one part of an address.
  private var escapedRevision: String { revision.replacingOccurrences(of: "/", with: "%2F") }

  /// What the server says of files, as it says it.
  private struct Listed: Decodable {
    struct LargeFile: Decodable {
      let oid: String
      let size: Int
    }
    let type: String
    let path: String
    let oid: String
    let size: Int?
    let lfs: LargeFile?
  }

  /// The files of weights and of settings in a listing, and what is left out of it.
  ///
  /// - Parameter url: where the listing is from.
  /// - Throws: ``DownloadError`` for one that makes no sense, or could lead files out of their folder.
  static func files(_ listing: [UInt8], url: String) throws(DownloadError) -> (
    files: [File], leftOut: [String]
  ) {
    let all: [Listed]
    do {
      all = try JSONValue.decode([Listed].self, from: listing, what: "the list of files")
    } catch {
      throw DownloadError(.wrongContent, url, "\(error)")
    }
    guard all.count < mostFiles else {
      throw DownloadError(.wrongContent, url, "the repository has \(mostFiles) files or more")
    }
    var files: [File] = []
    var leftOut: [String] = []
    let paths = Set(all.map(\.path))
    for listed in all where listed.type == "file" {
      let parts = listed.path.split(separator: "/", omittingEmptySubsequences: false)
      guard parts.count <= 8,
        parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." && !$0.contains("\0") }),
        !listed.path.hasPrefix("~"), !listed.path.contains("\\")
      else { throw DownloadError(.wrongContent, url, "a file is called '\(listed.path.prefix(100))'") }
      guard isWanted(listed.path, among: paths) else {
        leftOut.append(listed.path)
        continue
      }
      let digest: PublishedDigest = listed.lfs.map { .sha256($0.oid) } ?? .gitBlob(listed.oid)
      guard let size = listed.lfs?.size ?? listed.size, size >= 0, digest.isPlausible else {
        throw DownloadError(.wrongContent, url, "nothing states the size and the digest of \(listed.path)")
      }
      files.append(File(path: listed.path, byteCount: size, digest: digest))
    }
    return (files, leftOut.sorted())
  }

  /// Weights in formats that can be read, and the JSON and text beside them. Of the same weights twice, those in safetensors are enough.
  private static func isWanted(_ path: String, among paths: Set<String>) -> Bool {
    guard let name = path.split(separator: "/").last, let dot = name.lastIndex(of: "."), !name.hasPrefix(".")
    else {
      return false
    }
    switch name[dot...].lowercased() {
    case ".safetensors", ".json", ".txt", ".ckpt", ".h5", ".npz", ".npy": return true
    case ".bin", ".pt", ".pth":
      let stem = path.prefix(path.count - name[dot...].count)
      let others = [stem, stem.replacingOccurrences(of: "pytorch_model", with: "model")[...]]
      return !others.contains { paths.contains("\($0).safetensors") }
    default: return false
    }
  }
}

extension WeightCache {
  /// What was fetched of a repository.
  public struct Repository: Sendable, Equatable {
    /// Where its files are, under their own paths.
    public let folder: String
    /// Their paths below it, sorted.
    public let files: [String]
    /// The bytes of all.
    public let byteCount: Int
    /// Files of the repository that are no weights and no settings, or the same weights once more.
    public let leftOut: [String]
  }

  /// A repository's files of weights and settings, fetched where they are not here or not as the server states them, each checked against the
  /// digest that it states: SHA-256 of large files, the name that Git gives to the content of small ones.
  ///
  /// - Parameters:
  ///   - server: an address to ask instead of ``HuggingFaceRepository/server``.
  ///   - isOffline: asks nobody: what is here counts.
  ///   - isForced: fetches what is here too.
  ///   - waiting: called when another process is fetching it.
  ///   - report: gets what happens to the file of a path.
  /// - Throws: ``DownloadError`` or ``WeightsError``; files that were complete stay.
  public func pull(
    _ repository: HuggingFaceRepository, server: String? = nil, isOffline: Bool = false,
    isForced: Bool = false, policy: Download.Policy = .init(), waiting: () -> Void = {},
    report: @escaping (_ path: String, Download.Event) -> Void = { _, _ in }
  ) throws -> Repository {
    let server = (server ?? HuggingFaceRepository.server).withoutLastSlash
    let place = "repositories/\(repository.place)"
    let target = "\(folder)/\(place)"
    if isOffline {
      let files = Self.files(below: target)
      guard !files.isEmpty else {
        throw DownloadError(
          .offline, repository.listAddress(server),
          "\(repository.name) is not in the cache, and nothing is to be fetched")
      }
      let bytes = files.reduce(0) { $0 + (FileStamp("\(target)/\($1)")?.byteCount ?? 0) }
      return Repository(folder: target, files: files, byteCount: bytes, leftOut: [])
    }
    for name in ["locks", "partial", place] { try makeFolder(name) }
    return try FileLock.hold("\(folder)/locks/_\(repository.flatName)", waiting: waiting) {
      let partial = "\(folder)/partial/_\(repository.flatName)"
      let address = repository.listAddress(server)
      _ = try Download(url: address, mostBytes: HuggingFaceRepository.mostListed, content: .text).fetch(
        to: partial, policy: policy)
      let listing = FileManager.default.contents(atPath: partial) ?? Data()
      for path in [partial, partial + ".json"] { unlink(path) }
      let (files, leftOut) = try HuggingFaceRepository.files(Array(listing), url: address)
      guard !files.isEmpty else {
        throw DownloadError(
          .wrongContent, address, "the repository has no weights in a format that can be read")
      }
      for file in files {
        let path = "\(target)/\(file.path)"
        let download = Download(
          url: repository.address(of: file, server), digest: file.digest, byteCount: file.byteCount,
          content: .anything)
        if !isForced, FileStamp(path)?.byteCount == file.byteCount,
          let found = try? FileDigests(ofFile: path),
          (try? file.digest.check(found, url: download.url)) != nil
        {
          continue
        }
        _ = try download.fetch(to: partial, policy: policy) { report(file.path, $0) }
        unlink(partial + ".json")
        let parent = file.path.split(separator: "/").dropLast().joined(separator: "/")
        if !parent.isEmpty { try makeFolder("\(place)/\(parent)") }
        guard rename(partial, path) == 0 else {
          throw WeightsError(.unwritable, "cannot write: \(String(cString: strerror(errno)))", file: path)
        }
        AtomicFile.flushFolder(of: path)
      }
      return Repository(
        folder: target, files: files.map(\.path).sorted(), byteCount: files.reduce(0) { $0 + $1.byteCount },
        leftOut: leftOut)
    }
  }

  private static func files(below folder: String) -> [String] {
    let found = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
    return found.filter { FileStamp("\(folder)/\($0)") != nil }.sorted()
  }
}

extension HuggingFaceRepository {
  /// Folders of a cache.
  fileprivate var place: String { "\(name)/\(flat(revision))" }
  /// The name of one file.
  fileprivate var flatName: String { flat("\(name)@\(revision)") }

  private func flat(_ text: String) -> String { text.replacingOccurrences(of: "/", with: "--") }
}

extension String {
  fileprivate var withoutLastSlash: String { hasSuffix("/") ? String(dropLast()) : self }
}
