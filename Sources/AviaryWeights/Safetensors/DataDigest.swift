import AviaryTensors
import Synchronization

/// The digest of its data that a portable file carries, compared with the data at most once.
final class DataDigest: Sendable {
  private let file: MappedFile
  /// Where the data begins.
  private let start: Int
  private let expected: String
  private let found = Mutex<String?>(nil)

  init(_ expected: String, _ file: MappedFile, dataStart: Int) {
    self.file = file
    start = dataStart
    self.expected = expected
  }

  /// Reads all data; throws ``WeightsError`` naming the file when the digest is of other data.
  func check() throws {
    let found = found.withLock { found in
      let digest = found ?? file.withBytes { Digest.hex(of: UnsafeRawBufferPointer(rebasing: $0[start...])) }
      found = digest
      return digest
    }
    guard found == expected else {
      throw WeightsError(
        .malformed, "the data is damaged: its SHA-256 is \(found), not \(expected)", file: file.path)
    }
  }
}
