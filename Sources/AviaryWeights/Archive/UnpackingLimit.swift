/// How much a compressed file may unpack to.
///
/// Deflate makes a thousandth of zeros, so a small file can ask for all memory and minutes of work. Weights hardly compress at all: a file
/// that gains much is taken for a mistake or an attack, unless the whole of it is small.
enum UnpackingLimit {
  private static let harmless = 256 << 20
  private static let gain = 32

  /// Throws ``WeightsError`` of kind `refused` when a file of `fileBytes` unpacks to more than any weights do.
  static func check(_ unpackedBytes: Int, fileBytes: Int) throws {
    guard unpackedBytes <= harmless || unpackedBytes / gain <= fileBytes else {
      throw WeightsError(
        .refused,
        "\(fileBytes) bytes unpack to \(unpackedBytes) or more, as no weights do: a compression bomb")
    }
  }
}
