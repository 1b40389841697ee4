import CCrypto

/// SHA-256, computed piece by piece by libcrypto.
struct Digest: ~Copyable {
  private let context: OpaquePointer

  init() {
    context = EVP_MD_CTX_new()
    let started = EVP_DigestInit_ex(context, EVP_sha256(), nil)
    precondition(started == 1, "libcrypto has no SHA-256")
  }

  deinit { EVP_MD_CTX_free(context) }

  func update(_ bytes: UnsafeRawBufferPointer) {
    if !bytes.isEmpty { EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) }
  }

  /// 64 lower-case hexadecimal digits. Ends the computation.
  consuming func finished() -> String {
    var result = [UInt8](repeating: 0, count: 32)
    EVP_DigestFinal_ex(context, &result, nil)
    return result.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  static func hex(of bytes: UnsafeRawBufferPointer) -> String {
    let digest = Digest()
    digest.update(bytes)
    return digest.finished()
  }
}
