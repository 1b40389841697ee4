import AviaryTensors
import Foundation

extension WeightCache {
  /// Copies the files called `names` with an index into a new folder, which ``add(bundle:)`` takes on another machine.
  ///
  /// Throws ``WeightsError`` when one is missing or damaged, or the folder exists; nothing is left then.
  package func bundle(_ names: [String], to target: String) throws {
    guard !FileManager.default.fileExists(atPath: target) else {
      throw WeightsError(.unwritable, "it exists already", file: target)
    }
    let index = try CacheIndex(folder: folder)
    var result = CacheIndex()
    for name in names {
      guard let known = index.entries[name] else {
        throw WeightsError(.unreadable, "\(name) is not in the cache; 'aviary pull \(name)' fetches it")
      }
      result.entries[name] = known
    }
    do {
      try FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: true)
      for (name, known) in result.entries {
        try copy(path(known), to: "\(target)/\(known.sha256)", name, known)
      }
      try result.write(folder: target)
    } catch {
      try? FileManager.default.removeItem(atPath: target)
      throw error
    }
  }

  /// Takes over the files of a bundle, each compared with its digest, and returns their entries.
  ///
  /// Links are not followed, and nothing is taken but files that are called by their digests and can be read as weights.
  /// - Parameter published: what the publisher of a name says of its content: a bundle must not bring another file under it.
  /// - Throws: ``WeightsError`` or ``DownloadError`` naming the first file that is not right; those before it stay.
  package func add(
    bundle source: String, published: (_ name: String) -> PublishedDigest? = { _ in nil }
  ) throws -> [Entry] {
    guard FileManager.default.fileExists(atPath: "\(source)/\(CacheIndex.fileName)") else {
      throw WeightsError(.unreadable, "no bundle: it has no \(CacheIndex.fileName)", file: source)
    }
    let index = try CacheIndex(folder: source)
    try makeFolder("partial")
    return try index.entries.sorted { $0.key < $1.key }.map { name, known in
      let partial = "\(folder)/partial/\(known.sha256)"
      let digests = try copy("\(source)/\(known.sha256)", to: partial, name, known)
      do {
        try published(name)?.check(digests, url: "\(source)/\(known.sha256)")
        _ = try WeightFile.open(partial)
      } catch {
        unlink(partial)
        throw error
      }
      return try admit(partial, name, file: known.file, url: known.url, sha256: known.sha256)
    }
  }

  /// Copies a file and compares the copy with its digest.
  @discardableResult private func copy(
    _ source: String, to target: String, _ name: String, _ known: CacheIndex.Entry
  ) throws -> FileDigests {
    guard let stamp = FileStamp(source) else {
      throw WeightsError(.unreadable, "there is no file of \(name.quoted)", file: source)
    }
    try AtomicFile.write(to: target) { file in
      try MappedFile(path: source).withBytes { try file.append($0) }
    }
    let digests = try FileDigests(ofFile: target)
    guard stamp.byteCount == known.byteCount, digests.sha256 == known.sha256 else {
      unlink(target)
      throw WeightsError(
        .malformed, "the file of \(name.quoted) is damaged: its SHA-256 is another", file: source)
    }
    return digests
  }
}
