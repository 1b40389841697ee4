import AviaryLayers
import AviaryTensors
import Foundation
import TestSupport
import Testing

/// One case of `tools/reference/loss_fixtures.py`.
struct LossCase: Decodable, Sendable, CustomStringConvertible {
  let name: String
  let options: [String: JSONValue]
  var index = 0
  var description: String { "\(index): \(name) \(options)" }

  private enum CodingKeys: CodingKey { case name, options }

  static let file = Result {
    try GoldenFile(
      Bundle.module.bundleURL.appending(path: "Fixtures/losses.safetensors", directoryHint: .notDirectory))
  }

  static let all: [LossCase] = {
    let text = (try? file.get())?.metadata["cases"] ?? "[]"
    let cases = (try? JSONDecoder().decode([LossCase].self, from: Data(text.utf8))) ?? []
    return cases.enumerated().map { index, given in
      var test = given
      test.index = index
      return test
    }
  }()

  func tensor(_ role: String) throws -> Tensor? { try Self.file.get()["\(index).\(role)"] }

  func number(_ name: String) -> Float? { options[name]?.float }

  var reduction: Reduction {
    options["reduction"]?.text == "batchmean"
      ? .batchMean : Reduction(rawValue: options["reduction"]?.text ?? "") ?? .mean
  }

  /// The loss of an input.
  func loss(_ input: Tensor) throws -> Tensor {
    let target = try tensor("target")
    switch name {
    case "cross entropy":
      let (weights, smoothing) = (try tensor("weights"), number("smoothing") ?? 0)
      if let target {
        return softmaxCrossEntropy(
          input, probabilities: target, smoothing: smoothing, classWeights: weights, reduction: reduction)
      }
      return softmaxCrossEntropy(
        input, labels: try #require(try tensor("labels")), smoothing: smoothing, classWeights: weights,
        ignoring: options["ignored"]?.integer, reduction: reduction)
    case "binary cross entropy":
      return sigmoidCrossEntropy(
        input, targets: try #require(target), positiveWeight: try tensor("positive"),
        weights: try tensor("weights"), reduction: reduction)
    case "focal":
      let alpha = try #require(number("alpha"))
      return sigmoidFocalLoss(
        input, targets: try #require(target), alpha: alpha < 0 ? nil : alpha,
        gamma: try #require(number("gamma")), reduction: reduction)
    case "mean squared error":
      return meanSquaredError(input, try #require(target), reduction: reduction)
    case "mean absolute error":
      return meanAbsoluteError(input, try #require(target), reduction: reduction)
    case "smooth l1":
      return smoothL1(
        input, try #require(target), beta: try #require(number("beta")), reduction: reduction)
    case "huber":
      return huberLoss(
        input, try #require(target), delta: try #require(number("delta")), reduction: reduction)
    case "kl divergence":
      return klDivergence(
        logProbabilities: input, targets: try #require(target),
        areTargetsLogarithmic: options["logarithmic"]?.flag ?? false, reduction: reduction)
    case "hinge":
      return hingeLoss(
        input, labels: try #require(try tensor("labels")), margin: try #require(number("margin")),
        isSquared: number("power") == 2, reduction: reduction)
    case "binary hinge":
      return binaryHingeLoss(
        input, targets: try #require(target), margin: try #require(number("margin")),
        isSquared: number("power") == 2, reduction: reduction)
    case "triplet":
      return tripletMarginLoss(
        anchor: input, positive: try #require(try tensor("positive")),
        negative: try #require(try tensor("negative")), margin: try #require(number("margin")),
        p: try #require(number("p")), swaps: options["swap"]?.flag ?? false, reduction: reduction)
    case "dice":
      let scores: ClassScores =
        switch options["scores"]?.text {
        case "softmax": .softmaxLogits
        case "sigmoid": .sigmoidLogits
        default: .probabilities
        }
      return diceLoss(
        input, labels: try #require(try tensor("labels")), scores: scores,
        smoothing: try #require(number("smoothing")), poolsBatch: options["batch"]?.flag ?? false,
        reduction: reduction)
    default:
      Issue.record("no loss for \(name)")
      return input.sum()
    }
  }
}

@Suite("Losses")
struct LossTests {
  @Test("the fixture is complete")
  func fixture() throws {
    _ = try LossCase.file.get()
    #expect(LossCase.all.count == 80)
  }

  @Test("value and gradient are PyTorch's, NaN and infinities included", arguments: LossCase.all)
  func matches(test: LossCase) throws {
    let input = try #require(try test.tensor("input"))
    let expected = try #require(try test.tensor("value"))
    let loss = try test.loss(input)
    #expect(loss.shape == expected.shape)
    expectEqual(loss, expected, "value")
    let gradient = try gradient(at: input) { try test.loss($0).sum() }
    expectEqual(gradient, try #require(try test.tensor("gradient")), "gradient")
  }

  private func expectEqual(_ actual: Tensor, _ expected: Tensor, _ role: String) {
    let values = expected.values()
    let scale = max(values.filter(\.isFinite).map(abs).max() ?? 0, 1e-3)
    for (index, (a, e)) in zip(actual.values(), values).enumerated() {
      let isEqual = e.isNaN ? a.isNaN : e.isInfinite ? a == e : abs(a - e) <= 1e-5 * scale
      #expect(isEqual, "\(role), element \(index): \(a), expected \(e)")
    }
  }

  /// Those whose inputs lie far from kinks.
  private static let smoothCases = LossCase.all.filter { test in
    let input = try? test.tensor("input")
    let hasKink = ["mean absolute error", "smooth l1", "huber", "hinge", "binary hinge", "triplet"].contains(
      test.name)
    return !hasKink && (input?.values().allSatisfy { abs($0) < 15 } ?? false)
      && test.options["ignored"]?.integer != 0
  }

  @Test("gradients are central differences", arguments: smoothCases)
  func numeric(test: LossCase) throws {
    let input = try #require(try test.tensor("input"))
    let opCase = OpCase(test.description, [input], tolerance: 1e-2) { tensors in
      (try? test.loss(tensors[0])) ?? Tensor(Float.nan)
    }
    let weights = sample(try test.loss(input).shape, seed: 3, in: 0.5..<1.5)
    let numeric = withExactArithmetic { numericGradients(opCase, weights: weights)[0] }
    let analytic = try gradient(at: input) { (try test.loss($0) * weights).sum() }
    #expect(relativeDifference(analytic, numeric) < 1e-2)
  }

  @Test("gradients at both sides of kinks are central differences")
  func numericBesideKinks() {
    let (x, t) = (spread([4, 5]), Tensor.zeros([4, 5]))
    let losses: [(String, @Sendable (Tensor) -> Tensor)] = [
      ("absolute", { meanAbsoluteError($0, t) }), ("smooth l1", { smoothL1($0, t, beta: 0.5) }),
      ("huber", { huberLoss($0, t, delta: 0.5) }),
      ("hinge", { binaryHingeLoss($0, targets: .ones([4, 5]), margin: 0.5) }),
      ("classes", { hingeLoss($0, labels: Tensor([Int64(0), 1, 2, 3]), margin: 0.05) }),
      ("penalty", { $0.abs().sum() * 0.1 + $0.square().sum() }),
    ]
    for (name, loss) in losses {
      let numeric = withExactArithmetic {
        numericGradients(OpCase(name, [x]) { loss($0[0]) }, weights: Tensor(Float(1)))[0]
      }
      #expect(relativeDifference(gradient(at: x, of: loss), numeric) < 1e-2, "\(name)")
    }
  }

  @Test("losses of extreme logits are finite")
  func extremes() {
    let logits = Tensor([Float(1000), -1000, -1000, 1000], shape: [2, 2])
    #expect(softmaxCrossEntropy(logits, labels: Tensor([Int64(1), 1])).item() == 1000)
    #expect(sigmoidCrossEntropy(logits, targets: Tensor([Float(0), 1, 0, 1], shape: [2, 2])).item() == 500)
  }

  @Test("the elastic net is both penalties, on the parameters chosen, and its gradient is theirs")
  func penalty() throws {
    let model = Linear(3, 2)
    model.weight.value = Tensor([Float(1), -2, 0, 0.5, 3, -1], shape: [2, 3])
    model.bias?.value = Tensor([Float(10), -10])
    #expect(WeightPenalty(l1: 0.1)(model).item() == 0.75)
    #expect(WeightPenalty(l2: 0.5)(model).item() == 0.5 * 15.25)
    #expect(WeightPenalty(l1: 1)(model, .named("bias")).item() == 20)
    let (value, gradients) = valueAndGradient(of: model) { WeightPenalty(l1: 0.5, l2: 0.25)(model) }
    #expect(value.item() == 0.5 * 7.5 + 0.25 * 15.25)
    #expect(gradients[model.weight]?.values() == [1, -1.5, 0, 0.75, 2, -1])
    #expect(model.bias.flatMap { gradients[$0] } == nil)
    model.freeze("weight")
    #expect(
      valueAndGradient(of: model) { WeightPenalty(l2: 0.25)(model, .all) }.gradients[model.weight] == nil)
  }

  @Test("parameters are chosen by names, patterns and shapes")
  func selection() {
    let model = Sequential(Linear(3, 4), BatchNorm(4), Linear(4, 2))
    func names(_ selection: ParameterSelection) -> [String] {
      model.namedParameters.filter { selection.contains($0.name, $0.parameter.shape) }.map(\.name)
    }
    #expect(names(.matrices) == ["0.weight", "2.weight"])
    #expect(names(.vectors) == ["0.bias", "1.weight", "1.bias", "2.bias"])
    #expect(names(.named("1", "*.bias")) == ["0.bias", "1.weight", "1.bias", "2.bias"])
    #expect(names(.named([])) == [])
    #expect(names(.all).count == 6)
    #expect(model.parameters(ParameterSelection { $1 == [2, 4] }).map(\.shape) == [[2, 4]])
  }
}
