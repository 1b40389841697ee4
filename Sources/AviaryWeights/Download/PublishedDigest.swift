import Foundation

/// What a publisher says of a file's content.
package enum PublishedDigest: Sendable, Hashable {
  /// 64 hexadecimal digits.
  case sha256(String)
  /// The first digits of a SHA-256, as torchvision's file names end.
  case sha256Prefix(String)
  /// 32 hexadecimal digits, as Keras has them.
  case md5(String)
  /// 40 hexadecimal digits, by which Git calls a content: the SHA-1 of its length and itself.
  case gitBlob(String)

  /// Throws ``DownloadError`` when a file's digests are others.
  func check(_ found: FileDigests, url: String) throws(DownloadError) {
    let (name, expected, given) =
      switch self {
      case .sha256(let digits): ("SHA-256", digits, found.sha256)
      case .sha256Prefix(let digits): ("SHA-256", digits, String(found.sha256.prefix(digits.count)))
      case .md5(let digits): ("MD5", digits, found.md5)
      case .gitBlob(let digits): ("name in Git", digits, found.gitBlob)
      }
    guard !expected.isEmpty, given == expected.lowercased() else {
      throw DownloadError(
        .wrongContent, url, "the file's \(name) is \(given), but \(expected) is published: it is not used")
    }
  }
}

extension PublishedDigest {
  /// Whether it has the digits of its kind.
  var isPlausible: Bool {
    let (digits, count) =
      switch self {
      case .sha256(let digits): (digits, 64)
      case .sha256Prefix(let digits): (digits, digits.count)
      case .md5(let digits): (digits, 32)
      case .gitBlob(let digits): (digits, 40)
      }
    return !digits.isEmpty && digits.utf8.count == count && digits.allSatisfy(\.isHexDigit)
  }
}

/// Digests of a whole file.
struct FileDigests: Equatable {
  let sha256: String
  let md5: String
  /// The SHA-1 of `blob`, the length, a zero and the content.
  let gitBlob: String

  /// Reads the file once; throws ``WeightsError`` when it cannot be read.
  init(ofFile path: String, progress: (_ done: Int) -> Void = { _ in }) throws {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw WeightsError(.unreadable, String(cString: strerror(errno)), file: path)
    }
    defer { close(descriptor) }
    let sha256 = Digest()
    let md5 = Digest(.md5)
    let gitBlob = Digest(.sha1)
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw WeightsError(.unreadable, String(cString: strerror(errno)), file: path)
    }
    Array("blob \(status.st_size)\0".utf8).withUnsafeBytes { gitBlob.update($0) }
    let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
    defer { chunk.deallocate() }
    var done = 0
    while true {
      let count = read(descriptor, chunk.baseAddress, chunk.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else {
        throw WeightsError(.unreadable, String(cString: strerror(errno)), file: path)
      }
      if count == 0 { break }
      let bytes = UnsafeRawBufferPointer(rebasing: chunk[..<count])
      sha256.update(bytes)
      md5.update(bytes)
      gitBlob.update(bytes)
      done += count
      progress(done)
    }
    self.sha256 = sha256.finished()
    self.md5 = md5.finished()
    self.gitBlob = gitBlob.finished()
  }
}
