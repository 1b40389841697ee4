import Aviary

enum RunCommand: Command {
  static let name = "run"
  static let summary =
    "Feeds an array to a model and writes its outputs: float32 N×C×H×W, already preprocessed, to npz."
  static let operands = "MODEL"
  static let options = [
    Option.weights, Option.classes, Option.channels, Option.size,
    Option("input", "FILE", "a .npy file, or the array 'input' of a .npz"),
    Option("output", "FILE", "the .npz to write, with the array 'logits'"), Option.exact, Option.eager,
    Option.precision,
  ]
  static let example = "aviary run resnet50 --weights resnet50.safetensors --input x.npy --output out.npz"

  static func run(_ arguments: Arguments) throws {
    let name = try arguments.operands(1)[0]
    let (input, output) = (try arguments.required("input"), try arguments.required("output"))
    let loaded = try arguments.model(name)
    let array = try Self.array(try PipedFile.weights(input))
    try loaded.check(input: array.spec, named: input)
    loaded.tellChanges()
    // What the network makes of them says nothing about it.
    let damage = try WeightArchive([("input", array)]).requireUsableValues(
      file: input, allowing: arguments.allowance)
    if let damage { Console.printError("\(input): \(damage)") }
    let logits = try arguments.network(loaded, runs: 1)(array.cast(to: .float32))
    try WeightFile.write(try WeightArchive([("logits", logits)]), to: output, as: .npz)
  }

  /// The array in a .npy file, or the one called `input` in a .npz.
  static func array(_ path: String) throws -> Tensor {
    let archive = try WeightFile.open(path).archive
    guard let array = archive["input"] ?? (archive.count == 1 ? archive.entries[0].tensor : nil) else {
      let others = archive.names.isEmpty ? "" : " but \(archive.names.joined(separator: ", "))"
      throw UsageError("\(path) has no array 'input'\(others)")
    }
    return array
  }
}
