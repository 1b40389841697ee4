import Foundation

extension Error {
  /// What the system says went wrong with a file: Foundation wraps it, and where it has nothing to wrap knows only a number.
  package var systemReason: String {
    if let code = (self as? POSIXError)?.code { return String(cString: strerror(code.rawValue)) }
    guard let error = self as? CocoaError else { return "\(self)" }
    if let cause = error.underlying { return cause.systemReason }
    let codes: [CocoaError.Code: Int32] = [
      .fileNoSuchFile: ENOENT, .fileReadNoSuchFile: ENOENT, .fileReadNoPermission: EACCES,
      .fileWriteNoPermission: EACCES, .fileWriteFileExists: EEXIST, .fileWriteOutOfSpace: ENOSPC,
      .fileWriteVolumeReadOnly: EROFS, .fileReadTooLarge: EFBIG, .fileWriteInvalidFileName: EINVAL,
      .fileReadInvalidFileName: EINVAL,
    ]
    return codes[error.code].map { String(cString: strerror($0)) }
      ?? "the system gives no reason (number \(error.code.rawValue) of Foundation's)"
  }
}
