import Aviary
import Foundation

enum EvaluateCommand: Command {
  static let name = "evaluate"
  static let summary =
    "Measures loss and accuracy on a folder with one sub-folder per class, MNIST's test files or a file of CIFAR-10."
  static let operands = "MODEL"
  static let options = [
    Option.weights, Option.channels, Option.size,
    Option("data", "FOLDER", "the pictures, or a binary file of CIFAR-10 (.bin, .bin.gz)"),
    Option("batch", "N", "pictures at a time, by default 64"),
    Option.exact, Option.eager, Option.precision, Option.json,
  ]
  static let example = "aviary evaluate lenet --data mnist"

  static func run(_ arguments: Arguments) throws {
    let name = try arguments.operands(1)[0]
    let folder = try arguments.required("data")
    let batch = try arguments.integer("batch", default: 64, in: 1...4096)
    let loaded = try arguments.model(name)
    let data = try dataset(folder, isTraining: false, loaded)
    guard data.classNames.count == loaded.labels.count else {
      throw UsageError(
        "\(folder) has \(data.classNames.count) classes, the weights know \(loaded.labels.count)")
    }
    loaded.tellChanges()
    let network = try arguments.network(loaded, runs: data.count / batch)
    let result = try evaluation(of: network, on: data, batchSize: batch)
    if arguments.has("json") { return try Console.printJSON(result) }
    Console.print(
      String(format: "accuracy %.4f  loss %.4f  on %d examples", result.accuracy, result.loss, result.count))
  }

  /// MNIST's files when the folder has them, CIFAR-10's where a file is named, else pictures by class.
  static func dataset(_ folder: String, isTraining: Bool, _ loaded: LoadedModel) throws -> any Dataset {
    try loaded.requirePictures()
    if folder.hasSuffix(".bin") || folder.hasSuffix(".bin.gz") {
      let preprocessing = loaded.preprocessing
      guard preprocessing.channels == .rgb else {
        throw UsageError("\(loaded.name) takes \(preprocessing.channels.rawValue) pictures, CIFAR-10 has RGB")
      }
      return try CIFAR10(
        files: [folder], divisor: preprocessing.divisor, mean: preprocessing.mean, std: preprocessing.std)
    }
    if FileManager.default.fileExists(atPath: "\(folder)/t10k-images-idx3-ubyte.gz") {
      try loaded.check(input: TensorSpec([1, 1, 28, 28]), named: folder)
      return try MNIST(folder: folder, isTraining: isTraining)
    }
    let preprocessing = loaded.preprocessing
    return try FolderDataset(folder) { path in preprocessing(try Image(contentsOf: path)).squeezed(0) }
  }
}
