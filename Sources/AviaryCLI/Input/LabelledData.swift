import Aviary
import Foundation

/// Labelled examples for a model, as `--data` names them.
enum LabelledData {
  /// MNIST's files when the folder has them, CIFAR-10's or CIFAR-100's where a file is named or the folder has them, else pictures by class.
  static func open(
    _ folder: String, isTraining: Bool, _ loaded: LoadedClassifier, minimumClasses: Int = 2
  ) throws -> any Dataset {
    try loaded.requirePictures()
    if let files = cifar(folder, isTraining: isTraining) {
      let preprocessing = loaded.preprocessing
      guard preprocessing.statistics == .fixed else {
        throw UsageError("\(loaded.name) takes each picture by its own statistics, CIFAR's have fixed ones")
      }
      guard preprocessing.channels == .rgb else {
        throw UsageError("\(loaded.name) takes \(preprocessing.channels.rawValue) pictures, CIFAR has RGB")
      }
      try loaded.check(input: TensorSpec([1, 3, 32, 32]), named: folder)
      do {
        return try CIFAR10(
          files: files, divisor: preprocessing.divisor, mean: preprocessing.mean, std: preprocessing.std)
      } catch {
        // Examples of another length: the database of a hundred classes has the same names of files.
        guard let pictures = try? CIFAR100(files: files) else { throw error }
        return AugmentedPictures<Batch>(pictures, preprocessing: preprocessing)
      }
    }
    if isMNIST(folder) {
      try loaded.check(input: TensorSpec([1, 1, 28, 28]), named: folder)
      return try MNIST(folder: folder, isTraining: isTraining)
    }
    let pictures = try loaded.pictures()
    return try FolderDataset(folder, minimumClasses: minimumClasses) { path in
      try pictures.input(try Image(contentsOf: path), named: path).squeezed(0)
    }
  }

  /// Whether a folder has MNIST's files.
  static func isMNIST(_ folder: String) -> Bool {
    FileManager.default.fileExists(atPath: "\(folder)/t10k-images-idx3-ubyte.gz")
  }

  /// CIFAR-10's binary files: the one that is named, or those of a folder, which are called `data_batch_1.bin` and `test_batch.bin`, or
  /// otherwise after what they are for.
  private static func cifar(_ path: String, isTraining: Bool) -> [String]? {
    func isBinary(_ name: String) -> Bool { name.hasSuffix(".bin") || name.hasSuffix(".bin.gz") }
    if isBinary(path) { return [path] }
    let beginnings = isTraining ? ["data_batch", "train"] : ["test"]
    let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    let files = names.filter { name in isBinary(name) && beginnings.contains { name.hasPrefix($0) } }
    return files.isEmpty ? nil : files.sorted().map { "\(path)/\($0)" }
  }

  /// As ``open(_:isTraining:_:minimumClasses:)`` for a training, which no picture shall end: those that are damaged are left out. Says on
  /// stderr what is not taken.
  static func forTraining(_ folder: String, _ loaded: LoadedClassifier) throws -> any Dataset {
    let data = try open(folder, isTraining: true, loaded)
    guard let pictures = data as? FolderDataset else { return data }
    let bar = ProgressBar()
    defer { bar.finish() }
    var damaged = 0
    let whole = try pictures.withoutDamaged(
      progress: { bar.update("check", done: $0, total: $1) },
      damage: { error in
        damaged += 1
        if damaged <= mostNamed {
          bar.finish()
          Console.printError("left out: \(error)")
        }
      })
    bar.finish()
    if !whole.leftOut.isEmpty { Console.printError(whole.summary) }
    return whole
  }

  /// How many damaged pictures are named; all are counted.
  private static let mostNamed = 20

  /// `9 pictures in 2 classes: green, red`
  static func summary(_ data: any Dataset) -> String {
    let names = data.classNames
    return "\(data.count) pictures in \(names.count) classes: \(names.prefix(20).joined(separator: ", "))"
      + (names.count > 20 ? ", …" : "")
  }
}
