/// Files of text to learn from.
public enum TextFile {
  /// The text of a file in UTF-8, plain or compressed by gzip; a mark of the byte order at its beginning is no part of it.
  ///
  /// - Throws: `DataFile.Failure` naming a file that cannot be read, is empty or is not UTF-8.
  public static func text(contentsOf path: String) throws(DataFile.Failure) -> String {
    var bytes = try DataFile.read(path)[...]
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes = bytes.dropFirst(3) }
    guard !bytes.isEmpty else { throw DataFile.Failure(path: path, reason: "there is no text in it") }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw DataFile.Failure(path: path, reason: "it is no text in UTF-8")
    }
    return text
  }
}
