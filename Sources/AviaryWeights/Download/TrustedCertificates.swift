import CCurl
import Foundation

/// Whose certificates are trusted: the system's, unless the environment names others as it does for other programs that download.
///
/// `CURL_CA_BUNDLE` or `SSL_CERT_FILE` is a file of certificates, `SSL_CERT_DIR` a folder of them. They are read here, since libcurl
/// leaves them to its program.
struct TrustedCertificates: Sendable, Equatable {
  let file: String?
  let folder: String?

  init(environment: [String: String]) {
    func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
    file = value("CURL_CA_BUNDLE") ?? value("SSL_CERT_FILE")
    folder = value("SSL_CERT_DIR")
  }

  /// Why a server was not trusted, in a sentence; `details` is what libcurl says of it.
  func explanation(_ code: CURLcode, _ details: String) -> String {
    if code == CURLE_SSL_CACERT_BADFILE {
      return
        "the certificates to trust cannot be read from \([file, folder].compactMap { $0 }.joined(separator: ", "))"
    }
    let reason = details.split(separator: ":").last?.trimmed ?? "unknown"
    return
      "the server's certificate is not trusted (\(reason)); to trust others than the system's, name a file of "
      + "them with CURL_CA_BUNDLE or SSL_CERT_FILE"
  }
}
