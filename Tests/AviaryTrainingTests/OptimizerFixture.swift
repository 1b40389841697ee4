import AviaryLayers
import AviaryTensors
import AviaryTraining
import Foundation
import TestSupport
import Testing

/// What `tools/reference/optimizer_fixtures.py` writes.
enum OptimizerFixture {
  /// Twenty steps of one optimiser, or of an average of weights.
  struct Run: Decodable, Sendable, CustomStringConvertible {
    let name: String
    let options: [String: JSONValue]
    var index = 0
    var description: String { "\(index): \(name) \(options)" }

    private enum CodingKeys: CodingKey { case name, options }

    func option(_ name: String, or value: Float = 0) -> Float { options[name]?.float ?? value }
    func flag(_ name: String) -> Bool { options[name]?.flag ?? false }
  }

  static let file = Result {
    try GoldenFile(
      Bundle.module.bundleURL.appending(
        path: "Fixtures/optimizers.safetensors", directoryHint: .notDirectory))
  }
  static let runs = read("runs")
  static let averages = read("averages")

  private static func read(_ key: String) -> [Run] {
    let text = (try? file.get())?.metadata[key] ?? "[]"
    let runs = (try? JSONDecoder().decode([Run].self, from: Data(text.utf8))) ?? []
    return runs.enumerated().map { index, given in
      var run = given
      run.index = index
      return run
    }
  }

  static func tensor(_ name: String) throws -> Tensor { try #require(try file.get()[name], "\(name)") }

  /// The linear layer that every run starts from.
  static func makeModel() throws -> Linear {
    let model = Linear(3, 2)
    model.weight.value = try tensor("weight")
    model.bias?.value = try tensor("bias")
    return model
  }
}

extension OptimizerFixture.Run {
  func makeOptimizer() throws -> any Optimizer {
    let (rate, decay) = (option("lr"), option("weight_decay"))
    let betas = options["betas"]?.list?.compactMap(\.float) ?? [0.9, 0.999]
    let optimizer: any Optimizer =
      switch name {
      case "sgd":
        SGD(
          learningRate: rate, momentum: option("momentum"), dampening: option("dampening"),
          weightDecay: decay,
          usesNesterov: flag("nesterov"), convention: flag("inside") ? .rateInside : .rateOutside)
      case "adagrad":
        AdaGrad(
          learningRate: rate, rateDecay: option("lr_decay"), weightDecay: decay,
          initialSum: option("initial_accumulator_value"), epsilon: option("eps", or: 1e-10))
      case "rmsprop":
        RMSProp(
          learningRate: rate, decay: option("alpha"), epsilon: option("eps", or: 1e-8), weightDecay: decay,
          momentum: option("momentum"), isCentered: flag("centered"))
      case "adam", "adamw":
        Adam(
          learningRate: rate, betas: (betas[0], betas[1]), weightDecay: decay,
          decouplesDecay: name == "adamw",
          usesAMSGrad: flag("amsgrad"))
      default:
        LBFGS(
          learningRate: rate, maximumIterations: Int(option("max_iter")),
          maximumEvaluations: options["max_eval"]?.integer, historySize: Int(option("history_size", or: 100)),
          lineSearch: options["line_search_fn"] == nil ? .none : .strongWolfe)
      }
    if flag("groups") {
      let grouped = try #require(optimizer as? any FirstOrderOptimizer)
      grouped.groups = [ParameterGroup(.named("weight"), rateFactor: 0.1, weightDecay: 0.3), .withoutDecay]
    }
    return optimizer
  }

  /// One step, counted from 0, on the fixture's problem; gives the loss before it.
  func step(_ index: Int, _ optimizer: any Optimizer, _ model: Linear) throws -> Float {
    let (inputs, targets) = (try OptimizerFixture.tensor("inputs"), try OptimizerFixture.tensor("targets"))
    if flag("halving"), index == 10 { optimizer.learningRate /= 2 }
    let loss = optimizer.step(model) {
      var result = valueAndGradient(of: model) {
        guard let l2 = options["l2"]?.float else { return meanSquaredError(model(inputs), targets) }
        let isPositive = (targets .> Tensor(Float(0))).cast(to: .float32)
        return sigmoidCrossEntropy(model(inputs), targets: isPositive) + WeightPenalty(l2: l2)(model)
      }
      if let limit = options["norm"]?.float { result.gradients.clip(norm: limit) }
      if let limit = options["value"]?.float { result.gradients.clip(value: limit) }
      if flag("late"), index < 5, let bias = model.bias { result.gradients[bias] = nil }
      return result
    }
    return loss.item()
  }
}
