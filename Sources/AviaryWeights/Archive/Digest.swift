import AviaryTensors
import CCrypto

/// A digest, computed piece by piece by libcrypto.
package struct Digest: ~Copyable {
  private let context: OpaquePointer

  enum Algorithm {
    case sha256
    /// Protects against accidents only; some publishers have nothing better.
    case md5
    /// What Git calls contents by.
    case sha1
  }

  init(_ algorithm: Algorithm = .sha256) {
    context = EVP_MD_CTX_new()
    let kind =
      switch algorithm {
      case .sha256: EVP_sha256()
      case .md5: EVP_md5()
      case .sha1: EVP_sha1()
      }
    let started = EVP_DigestInit_ex(context, kind, nil)
    require(started == 1, "libcrypto has no \(algorithm)")
  }

  deinit { EVP_MD_CTX_free(context) }

  func update(_ bytes: UnsafeRawBufferPointer) {
    if !bytes.isEmpty { EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) }
  }

  /// Lower-case hexadecimal digits, 64 of SHA-256, 32 of MD5 and 40 of SHA-1. Ends the computation.
  consuming func finished() -> String {
    var result = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
    var count: UInt32 = 0
    EVP_DigestFinal_ex(context, &result, &count)
    return result.prefix(Int(count)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// The SHA-256 of bytes in memory.
  package static func hex(of bytes: UnsafeRawBufferPointer) -> String {
    let digest = Digest()
    digest.update(bytes)
    return digest.finished()
  }
}
