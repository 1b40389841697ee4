import Aviary
import Foundation

enum BundleCommand: Command {
  static let name = "bundle"
  static let summary =
    "Copies pulled weights with an index into a folder, for a machine without network: there, 'aviary cache add FOLDER'."
  static let operands = "MODEL... --output FOLDER"
  static let options = [Option("output", "FOLDER", "the new folder")]
  static let example = "aviary bundle resnet50 vgg19.keras --output /media/stick/weights"

  static func run(_ arguments: Arguments) throws {
    guard !arguments.operands.isEmpty else {
      throw UsageError("which models? usage: aviary bundle \(operands)")
    }
    let output = try arguments.required("output")
    let files = try arguments.operands.map { try Zoo.pull($0, isOffline: true).file }
    try WeightCache.user().bundle(files.map(\.name), to: output)
    let size = ProgressBar.Unit.bytes.text(Double(files.reduce(0) { $0 + $1.byteCount }))
    Console.print("\(output): \(files.map(\.name).joined(separator: ", ")), \(size)")
  }
}
