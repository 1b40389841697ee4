import Aviary
import Foundation

enum InspectCommand: Command {
  static let name = "inspect"
  static let summary =
    "Shows what a file of weights holds: format, tensors, metadata, and the model it fits. Executes nothing."
  static let operands = "FILE"
  static let options = [Option.json]
  static let example = "aviary inspect resnet50_weights.h5"

  private struct Report: Encodable {
    let file: WeightFile.Description
    let model: String?
    let dialect: String?
  }

  static func run(_ arguments: Arguments) throws {
    let file = try WeightFile.open(try arguments.operands(1)[0])
    let identified = Zoo.identify(file.archive)
    if arguments.has("json") {
      return try Console.printJSON(
        Report(file: file.description, model: identified?.entry.name, dialect: identified?.dialect.name))
    }
    let description = file.description
    let rows = description.tensors.map { [$0.name, $0.dtype.rawValue, $0.shape.shapeText] }
    Console.print(Console.table(["tensor", "type", "shape"], rows))
    Console.print(
      """

      \(file.path): \(description.summary), \(description.byteCount.grouped) bytes
      \(description.tensorCount) tensors, \(description.parameterCount.grouped) values\(metadata(description))
      model: \(identified.map { "\($0.entry.name), dialect \($0.dialect.name)" } ?? "none of the zoo's")
      """)
  }

  /// A line for each string beside the tensors, cut to what fits on one.
  private static func metadata(_ description: WeightFile.Description) -> String {
    description.metadata.sorted { $0.key < $1.key }.map { key, value in
      let line = value.split(whereSeparator: \.isNewline).joined(separator: " ")
      return "\n\(key): \(line.prefix(100))\(line.count > 100 ? "…" : "")"
    }.joined()
  }
}
