import Aviary

enum RunCommand: Command {
  static let name = "run"
  static let summary =
    "Feeds arrays to a model of any task, as its reference takes them, and writes all outputs under their names to npz. A captioner with --set beam=5 writes the numbers of the words of captions, for pictures or their features."
  static let operands = "MODEL"
  static let options = [
    Option.weights, Option.classes, Option.channels, Option.size, Option.set,
    Option("input", "FILE", "a .npy file, which is the only input, or a .npz with the inputs' names"),
    Option("output", "FILE", "the .npz to write"), Option.exact, Option.eager, Option.precision,
  ]
  static let example =
    "aviary run ddpm_cifar10 --weights ddpm.safetensors --input noise.npy --set timesteps=612 --output out.npz"

  static func run(_ arguments: Arguments) throws {
    let name = try arguments.operands(1)[0]
    let output = try arguments.required("output")
    let entry = try Catalogue.selection(name).entry
    let sets = try SetOptions(arguments, for: entry)
    if let search = try CaptionSearch(sets, for: entry) {
      let loaded = try arguments.loadedNetwork(name, sets)
      loaded.tellChanges()
      return try write(try search.outputs(try arguments.required("input"), loaded, arguments), to: output)
    }
    // What is set may be all that there is.
    let input = sets.inputs.isEmpty ? try arguments.required("input") : arguments.string("input")
    let loaded = try arguments.loadedNetwork(name, sets)
    let inputs = try InputArrays.read(input, sets, for: loaded, arguments)
    loaded.tellChanges()
    var outputs = try arguments.runner(loaded, runs: 1)(inputs)
    if let network = loaded.network as? any CountedNetwork {
      outputs = network.trimmed(outputs, for: inputs)
    }
    try write(outputs, to: output)
  }

  private static func write(_ outputs: NamedTensors, to path: String) throws {
    try WeightFile.write(
      try WeightArchive(outputs.elements.map { ($0.name, $0.tensor) }), to: path, as: .npz)
  }
}
