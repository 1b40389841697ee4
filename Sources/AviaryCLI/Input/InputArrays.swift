import Aviary

/// The arrays that a network is fed from a file: a `.npy` is the only input, the arrays of a `.npz` have the inputs' names.
enum InputArrays {
  /// The arrays of a file in the types that the network takes, checked against its signature together with those of `--set`.
  ///
  /// - Throws: ``UsageError``, `WeightsError` for a damaged file or values that are not finite, `SignatureError`, `UnsuitableInput`.
  static func read(
    _ path: String?, _ sets: SetOptions, for loaded: LoadedNetwork, _ arguments: Arguments
  ) throws -> NamedTensors {
    let read = try path.map { try arrays($0, sets, loaded.network.signature, arguments) } ?? NamedTensors()
    var inputs = read
    for (name, tensor) in try sets.tensors(for: loaded, beside: read).elements { inputs[name] = tensor }
    try loaded.check(inputs, from: path)
    try checkSize(inputs, sets, path)
    return NamedTensors(
      loaded.network.signature.inputs.compactMap { port in
        inputs[ifPresent: port.name].map { (port.name, $0.cast(to: port.dtype)) }
      })
  }

  private static func arrays(
    _ path: String, _ sets: SetOptions, _ signature: Signature, _ arguments: Arguments
  ) throws -> NamedTensors {
    let archive = try WeightFile.open(try PipedFile.weights(path)).archive
    // What the network makes of them says nothing about it.
    if let damage = try archive.requireUsableValues(file: path, allowing: arguments.allowance) {
      Console.printError("\(path): \(damage)")
    }
    let set = Set(sets.inputs.map(\.name))
    let wanted = signature.inputs.filter { !$0.isOptional && !set.contains($0.name) }.map(\.name)
    let entries = archive.entries
    if let only = wanted.first, wanted.count == 1, entries.count == 1,
      !signature.inputs.contains(where: { $0.name == entries[0].name })
    {
      return NamedTensors([(only, entries[0].tensor)])
    }
    // A name that a .npz has and the network does not is refused with the rest; other arrays may lie beside them.
    let named = entries.filter { entry in signature.inputs.contains { $0.name == entry.name } }
    guard !named.isEmpty else {
      let others = archive.names.isEmpty ? "" : " but \(archive.names.joined(separator: ", "))"
      throw UsageError("\(path) has no array '\(wanted.joined(separator: "', '"))'\(others)")
    }
    return NamedTensors(named.map { ($0.name, $0.tensor) })
  }

  /// Arrays have a size already: one that `--size` contradicts is a mistake.
  private static func checkSize(_ inputs: NamedTensors, _ sets: SetOptions, _ path: String?) throws {
    guard case .integer(let side)? = sets.settings["size"], let input = inputs[ifPresent: "input"],
      input.rank == 4, Array(input.shape[2...]) != [side, side]
    else { return }
    throw UsageError(
      "\(path ?? "the input") holds \(input.shape[2])×\(input.shape[3]) pixels, but --size is \(side)")
  }
}
