import Aviary

extension Arguments {
  /// From how many runs on it pays to measure algorithms and to keep weights in the larger form of the faster ones.
  private static let runsWorthMeasuring = 16

  /// The model with the weights and the adaptation that were asked for.
  func model(_ name: String, _ part: Adaptation.Part = .whole) throws -> LoadedClassifier {
    var adaptation = try adaptation
    adaptation.part = part
    return try Zoo.load(name, weights: file("weights"), adaptation, allowing: allowance)
  }

  /// What `--allow-nonfinite` and `--ignore-unexpected` allow.
  var allowance: Allowance {
    var allowance: Allowance = []
    if has(Option.allowNonfinite.name) { allowance.insert(.nonFinite) }
    if has(Option.ignoreUnexpected.name) { allowance.insert(.unexpected) }
    return allowance
  }

  /// A network of any task with the weights and settings that were asked for.
  func loadedNetwork(_ name: String, _ sets: SetOptions) throws -> LoadedNetwork {
    try Zoo.network(name, weights: file("weights"), settings: sets.settings, allowing: allowance)
  }

  /// A model of a task with the weights and settings that were asked for, for about `runs` runs. Says on stderr what of the file was adapted
  /// or left out.
  func model<Model: TaskModel>(_ type: Model.Type, _ name: String, runs: Int) throws -> Model {
    let entry = try Catalogue.selection(name).entry
    try entry.require(Model.task)
    let sets = try SetOptions(self, for: entry)
    try sets.requireSettings(entry)
    let loaded = try loadedNetwork(name, sets)
    let changes = loaded.changes
    let model = try Model(loaded, execution: try execution(runs: runs))
    for change in changes { Console.printError("\(entry.name): \(change)") }
    return model
  }

  /// How `--eager`, `--exact` and `--precision` ask for a network to be run, about `runs` times.
  func execution(runs: Int) throws -> Execution {
    let isExact = has("exact")
    let precision = try self.precision
    if has("eager") { return .eager(isExact: isExact) }
    let algorithms: AlgorithmChoice =
      runs == 1 ? .once : isExact || runs < Self.runsWorthMeasuring ? .direct : .measured
    return .compiled(algorithms: algorithms, precision: precision)
  }

  /// The network as ``execution(runs:)`` has it. It is compiled when its first inputs come.
  func runner(_ loaded: LoadedNetwork, runs: Int) throws -> (NamedTensors) -> NamedTensors {
    let network = loaded.network
    switch try execution(runs: runs) {
    case .eager(let isExact):
      network.evaluate()
      return { inputs in
        let inputs = network.completed(inputs)
        return isExact ? withExactArithmetic { network(inputs) } : network(inputs)
      }
    case .compiled(let algorithms, let precision):
      let compiled = network.compiled(algorithms: algorithms, precision: precision)
      return { compiled($0) }
    }
  }

  /// As ``runner(_:runs:)`` for a classifier: from a batch to its logits.
  func network(_ loaded: LoadedClassifier, runs: Int) throws -> (Tensor) -> Tensor {
    let run = try runner(loaded.asNetwork, runs: runs)
    return { run(["input": $0])["logits"] }
  }

  /// What compiled networks compute in.
  var precision: DType {
    get throws {
      switch string("precision") {
      case nil, "f32": return .float32
      case "bf16":
        guard !has("exact"), !has("eager") else {
          throw UsageError("--precision bf16 goes neither with --exact nor with --eager")
        }
        guard DType.bfloat16.isComputed else {
          throw UsageError("--precision bf16 needs a processor with AVX-512, or AVX-512 allowed to oneDNN")
        }
        return .bfloat16
      case let other?: throw UsageError("--precision takes f32 or bf16, not \(other)")
      }
    }
  }

  /// Runs `body` with direct algorithms only when `--exact` was given.
  func withPrecision<Result>(_ body: () throws -> Result) rethrows -> Result {
    has("exact") ? try withExactArithmetic(body) : try body()
  }
}

extension LoadedNetwork {
  /// Says on stderr what of the file was adapted or left out, before work begins.
  func tellChanges() {
    for change in changes { Console.printError("\(name): \(change)") }
  }

  /// Says besides what of the task no file said, where the results depend on it.
  func tellChangesAndAssumptions() {
    tellChanges()
    for assumption in assumptions { Console.printError("\(name): \(assumption)") }
  }
}

extension LoadedClassifier {
  /// Says on stderr how the network was adapted, before work begins.
  func tellChanges() {
    for change in changes { Console.printError("\(name): \(change)") }
  }
}
