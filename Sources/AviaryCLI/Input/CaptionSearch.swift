import Aviary

/// `aviary run` of a captioner with `--set beam=N`: from pictures or their features to the numbers of the words of captions.
struct CaptionSearch {
  private static let names = ["beam", "start", "end", "length"]
  private let values: [String: Int]

  /// Nil when no `beam` is set for a captioner. Throws ``UsageError`` for what makes no sense beside it.
  init?(_ sets: SetOptions, for entry: ZooEntry) throws {
    guard entry.task == .captioning, sets.inputs.contains(where: { $0.name == "beam" }) else { return nil }
    var values: [String: Int] = [:]
    for (name, value) in sets.inputs {
      guard Self.names.contains(name), case .integer(let number) = value, 0...1_000_000 ~= number else {
        throw UsageError(
          "with beam=N, --set takes whole numbers for \(Self.names.joined(separator: ", ")), not \(name)=\(value)"
        )
      }
      values[name] = number
    }
    for name in ["beam", "length"] where values[name] == 0 {
      throw UsageError("--set \(name) takes 1 or more")
    }
    self.values = values
  }

  /// `tokens`, int64 N×L: `<start>`, words, and `<end>` where one came; shorter captions are filled up with `<pad>`.
  ///
  /// What the weights do not say of the marks is taken from the public tutorial's word map: `<pad>` 0, `<start>` and `<end>` the last two.
  func outputs(_ path: String, _ loaded: sending LoadedNetwork, _ arguments: Arguments) throws -> NamedTensors
  {
    guard let network = loaded.network as? any CaptioningNetwork else {
      throw UsageError("\(loaded.name) says no captions")
    }
    let vocabulary = try loaded.metadata.labels.map(WordVocabulary.init)
    let count = network.wordCount
    let (start, end) = (
      values["start"] ?? vocabulary?.start ?? count - 2, values["end"] ?? vocabulary?.end ?? count - 1
    )
    guard max(start, end) < count else {
      throw UsageError("start and end are words below \(count), not \(start) and \(end)")
    }
    let archive = try WeightFile.open(try PipedFile.weights(path)).archive
    if let damage = try archive.requireUsableValues(file: path, allowing: arguments.allowance) {
      Console.printError("\(path): \(damage)")
    }
    let (input, isPictures) = try input(archive, path, network)
    let decoder = try CaptionDecoder(loaded, execution: try arguments.execution(runs: 1))
    return [
      "tokens": try decoder.tokens(
        for: input, isPictures: isPictures, beam: values["beam"] ?? 1, start: start, end: end,
        padding: vocabulary?.padding ?? 0, maximumLength: values["length"] ?? 50)
    ]
  }

  /// An array called `image`, or one of features by the name that the network has for it; an array alone is what its shape says.
  private func input(
    _ archive: WeightArchive, _ path: String, _ network: any CaptioningNetwork
  ) throws -> (tensor: Tensor, isPictures: Bool) {
    let port = network.signature.inputs.first { $0.name != "captions" && $0.dtype == .float32 }
    let entries = archive.entries
    if let image = entries.first(where: { $0.name == "image" }) ?? (entries.count == 1 ? entries.first : nil),
      image.tensor.rank == 4, image.tensor.shape[1] == 3, image.tensor.shape[0] > 0, image.name != port?.name
    {
      return (image.tensor.cast(to: .float32), true)
    }
    guard let port, let features = entries.first(where: { $0.name == port.name }) ?? entries.first,
      entries.count == 1 || features.name == port.name, features.tensor.shape.count == port.axes.count,
      features.tensor.shape.elementCount > 0,
      zip(features.tensor.shape, port.axes).dropFirst().allSatisfy({
        if case .fixed(let extent) = $1 { $0 == extent } else { true }
      })
    else {
      let names = entries.map { "\($0.name) \($0.tensor.shape.map(String.init).joined(separator: "×"))" }
      throw UsageError(
        "\(path) holds \(names.isEmpty ? "nothing" : names.joined(separator: ", ")); captions are of 'image' N×3×H×W or '\(port?.name ?? "features")'"
      )
    }
    let tensor = features.tensor.cast(to: .float32)
    // One place for the whole picture where the network has no grid.
    return (tensor.rank == 2 ? tensor.reshaped([tensor.shape[0], 1, 1, tensor.shape[1]]) : tensor, false)
  }
}
