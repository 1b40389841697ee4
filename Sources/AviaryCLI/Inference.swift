import Aviary

extension Arguments {
  /// From how many runs on it pays to measure algorithms and to keep weights in the larger form of the faster ones.
  private static let runsWorthMeasuring = 16

  /// The network as `--eager` and `--exact` ask for it, for about `runs` runs. It is compiled when its first input comes.
  func network(_ loaded: LoadedModel, runs: Int) -> (Tensor) -> Tensor {
    let isExact = has("exact")
    if has("eager") {
      return { input in isExact ? withExactArithmetic { loaded.model(input) } : loaded.model(input) }
    }
    let algorithms: AlgorithmChoice = isExact || runs < Self.runsWorthMeasuring ? .direct : .measured
    var compiled: CompiledModel?
    return { input in
      let model = compiled ?? loaded.model.compiled(for: input.shape, algorithms: algorithms)
      compiled = model
      return model(input)
    }
  }

  /// Runs `body` with direct algorithms only when `--exact` was given.
  func withPrecision<Result>(_ body: () throws -> Result) rethrows -> Result {
    has("exact") ? try withExactArithmetic(body) : try body()
  }
}
