import Foundation

/// The program's results as other programs read them.
enum JSONOutput {
  /// What `JSONEncoder` writes for numbers that JSON has no way to write. Nobody else can know it.
  private static let noNumber = "no number \(UUID())"

  /// Keys in snake case and sorted; `null` for numbers that are not finite.
  static func text(_ value: some Encodable, isCompact: Bool = false) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    if !isCompact { encoder.outputFormatting.insert(.prettyPrinted) }
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: noNumber, negativeInfinity: noNumber, nan: noNumber)
    let text = String(decoding: try encoder.encode(value), as: UTF8.self)
    return TerminalText.escapedJSON(text.replacing("\"\(noNumber)\"", with: "null"))
  }
}
