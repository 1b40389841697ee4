import Aviary

extension Workload {
  /// One training step of a language model: the loss of each next token, backward pass, and an update, as ``LanguageLearner`` does it. A model with
  /// a state carries it from step to step and learns by SGD, with a gradient no longer than 5, as Zaremba et al. (2014, arXiv:1409.2329) trained
  /// theirs; any other learns by AdamW.
  ///
  /// - Parameter tokens: N×(T+1), of which the first T are read and the last T are to be guessed.
  static func languageTraining(
    _ loaded: LoadedNetwork, _ tokens: Tensor, learningRate: Float
  ) throws -> Workload {
    let count = tokens.shape[1] - 1
    guard count > 0 else { throw UsageError("sequences of one token have none to guess") }
    let read = tokens.sliced(1, 0..<count)
    let targets = tokens.sliced(1, 1..<count + 1)
    let inputs = loaded.network.completed([loaded.network.signature.inputs[0].name: read])
    let summary = Summary(of: loaded.network, inputs: inputs)
    let hasState = LanguageLearner.carriesState(loaded.network)
    let learner = LanguageLearner(
      loaded.network,
      hasState
        ? SGD(learningRate: learningRate)
        : Adam(learningRate: learningRate, weightDecay: 0.01, decouplesDecay: true))
    if hasState { learner.gradientNormLimit = 5 }
    loaded.network.train()
    var isBeginning = true
    return Workload(batch: tokens.shape[0], multiplyAdds: summary.trainingMultiplyAdds, unit: "texts") {
      let batch = TextBatch(tokens: read, targets: targets, isBeginning: isBeginning)
      isBeginning = false
      // An optimiser of first order has nothing to refuse.
      return (try? learner.learn(from: batch))?.loss ?? .nan
    }
  }
}
