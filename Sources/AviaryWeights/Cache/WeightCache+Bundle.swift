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
        try copy(
          path(known), to: "\(target)/\(known.sha256)", name, byteCount: known.byteCount,
          sha256: known.sha256)
        for companion in known.companions ?? [] {
          let place = companionPlace(companion, of: name)
          let path = "\(target)/\(place)"
          try FileManager.default.createDirectory(
            at: URL(filePath: path).deletingLastPathComponent(), withIntermediateDirectories: true)
          try copy(
            "\(folder)/\(place)", to: path, name, byteCount: companion.byteCount, sha256: companion.sha256)
        }
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
  /// - Parameter published: what the publisher of a name says of its content, or of that of a file that belongs to it (nil for the weights
  ///   themselves): a bundle must not bring another file under it.
  /// - Throws: ``WeightsError`` or ``DownloadError`` naming the first file that is not right; those before it stay.
  package func add(
    bundle source: String,
    published: (_ name: String, _ companion: String?) -> PublishedDigest? = { _, _ in nil }
  ) throws -> [Entry] {
    guard FileManager.default.fileExists(atPath: "\(source)/\(CacheIndex.fileName)") else {
      throw WeightsError(.unreadable, "no bundle: it has no \(CacheIndex.fileName)", file: source)
    }
    let index = try CacheIndex(folder: source)
    try makeFolder("partial")
    return try index.entries.sorted { $0.key < $1.key }.map { name, known in
      let partial = "\(folder)/partial/\(known.sha256)"
      let digests = try copy(
        "\(source)/\(known.sha256)", to: partial, name, byteCount: known.byteCount, sha256: known.sha256)
      do {
        try published(name, nil)?.check(digests, url: "\(source)/\(known.sha256)")
        _ = try WeightFile.open(partial)
      } catch {
        unlink(partial)
        throw error
      }
      let added = try admit(partial, name, file: known.file, url: known.url, sha256: known.sha256)
      guard let companions = known.companions else { return added }
      let place = "companions/\(fileName(name))"
      try makeFolder(place)
      for companion in companions {
        let file = "\(source)/\(companionPlace(companion, of: name))"
        let digests = try copy(
          file, to: partial, name, byteCount: companion.byteCount, sha256: companion.sha256)
        do {
          try published(name, companion.file)?.check(digests, url: file)
        } catch {
          unlink(partial)
          throw error
        }
        _ = try admit(companion: partial, companion.file, in: place, sha256: companion.sha256)
      }
      return try enter(companions, of: name)
    }
  }

  /// Where a file that belongs to weights lies, in a cache and in a bundle.
  private func companionPlace(_ companion: CacheIndex.Entry.Companion, of name: String) -> String {
    "companions/\(fileName(name))/\(companion.file)"
  }

  /// Copies a file and compares the copy with its digest.
  @discardableResult private func copy(
    _ source: String, to target: String, _ name: String, byteCount: Int, sha256: String
  ) throws -> FileDigests {
    guard let stamp = FileStamp(source) else {
      throw WeightsError(.unreadable, "there is no file of \(name.quoted)", file: source)
    }
    try AtomicFile.write(to: target) { file in
      try MappedFile(path: source).withBytes { try file.append($0) }
    }
    let digests = try FileDigests(ofFile: target)
    guard stamp.byteCount == byteCount, digests.sha256 == sha256 else {
      unlink(target)
      throw WeightsError(
        .malformed, "the file of \(name.quoted) is damaged: its SHA-256 is another", file: source)
    }
    return digests
  }
}
