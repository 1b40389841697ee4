import Aviary
import Foundation

/// How the weights of a network are changed, as the command line says it.
struct Optimisation {
  let optimizer: any Optimizer
  let schedule: Schedule
  /// Decay of the weights' moving average; nil for none.
  let averageDecay: Double?
  let gradientNormLimit: Float?
  let microBatch: Int?
  let labelSmoothing: Float
  /// What the report says of it.
  let summary: String

  static let options = [
    Option("learning-rate", "X", "the highest, by default 0.0001"),
    Option(
      "optimizer", "adam|adamw|sgd|rmsprop|adagrad|lbfgs",
      "by default adam; sgd has a momentum of 0.9; lbfgs searches along lines, and is for batches of all pictures"
    ),
    Option(
      "weight-decay", "X", "of weights, not of biases and normalisations; by default 0, or 0.01 for adamw"),
    Option("layer-decay", "X", "the learning rate of each stage is X times that of the one above it"),
    Option(
      "schedule", "constant|cosine|linear|onecycle", "of the learning rate over the run, by default constant"),
    Option("warmup", "SHARE", "of the run in which the learning rate rises to the highest, by default 0"),
    Option("ema", "X", "judge and save moving averages of the weights with this decay, such as 0.999"),
    Option("clip", "X", "scale gradients down whose norm is more"),
    Option("micro-batch", "N", "pictures whose gradients are worked out at once, to save memory"),
    Option("label-smoothing", "X", "by default 0"),
  ]

  /// - Throws: ``UsageError`` for numbers out of range, and for what the network has no use for.
  init(_ arguments: Arguments, for model: any Module) throws {
    let rate = try arguments.number("learning-rate", default: 1e-4, in: 0...10)
    let kind = arguments.string("optimizer") ?? "adam"
    let decay = try arguments.number("weight-decay", default: kind == "adamw" ? 0.01 : 0, in: 0...10)
    var groups = [ParameterGroup.withoutDecay]
    if arguments.has("layer-decay") {
      guard let model = model as? any StagedModel else {
        throw UsageError("--layer-decay is for classifiers, which have stages")
      }
      groups += model.layerwiseGroups(decay: try arguments.number("layer-decay", default: 1, in: 1e-3...1))
    }
    if kind == "lbfgs" {
      if let option = ["weight-decay", "layer-decay"].first(where: arguments.has) {
        throw UsageError("--optimizer lbfgs goes not with --\(option)")
      }
      optimizer = LBFGS(
        learningRate: arguments.has("learning-rate") ? rate : 1, lineSearch: .strongWolfe)
    } else {
      optimizer = try Self.firstOrder(kind, rate, decay, groups)
    }

    schedule = try Self.schedule(arguments)
    averageDecay =
      arguments.has("ema") ? Double(try arguments.number("ema", default: 0.999, in: 0...0.999999)) : nil
    gradientNormLimit = arguments.has("clip") ? try arguments.number("clip", default: 1, in: 1e-6...1e6) : nil
    microBatch =
      arguments.has("micro-batch") ? try arguments.integer("micro-batch", default: 1, in: 1...4096) : nil
    labelSmoothing = try arguments.number("label-smoothing", default: 0, in: 0...0.9)
    summary = "\(kind), learning rate \(rate), \(arguments.string("schedule") ?? "constant")"
  }

  private static func firstOrder(
    _ kind: String, _ rate: Float, _ decay: Float, _ groups: [ParameterGroup]
  ) throws(UsageError) -> any FirstOrderOptimizer {
    let optimizer: any FirstOrderOptimizer
    switch kind {
    case "adam": optimizer = Adam(learningRate: rate, weightDecay: decay)
    case "adamw": optimizer = Adam.decoupled(learningRate: rate, weightDecay: decay)
    case "sgd": optimizer = SGD(learningRate: rate, momentum: 0.9, weightDecay: decay)
    case "rmsprop": optimizer = RMSProp(learningRate: rate, weightDecay: decay)
    case "adagrad": optimizer = AdaGrad(learningRate: rate, weightDecay: decay)
    default: throw UsageError("--optimizer takes adam, adamw, sgd, rmsprop, adagrad or lbfgs, not \(kind)")
    }
    optimizer.groups = groups
    return optimizer
  }

  private static func schedule(_ arguments: Arguments) throws -> Schedule {
    let warmup = Double(try arguments.number("warmup", default: 0, in: 0...0.9))
    let rest: Schedule
    switch arguments.string("schedule") {
    case nil, "constant": rest = .constant
    case "cosine": rest = .cosine
    case "linear": rest = .linear()
    case "onecycle":
      guard warmup == 0 else {
        throw UsageError("--schedule onecycle rises by itself: it goes not with --warmup")
      }
      rest = .oneCycle()
    case let other?: throw UsageError("--schedule takes constant, cosine, linear or onecycle, not \(other)")
    }
    return warmup > 0 ? .warmup(.share(warmup), then: rest) : rest
  }

  /// Lets a learner of anything but classes of pictures, which has the optimiser, learn so. What the network's reference limits gradients by stays
  /// where nothing was given.
  func configure(_ learner: ObjectiveLearner<some Sendable>) {
    learner.gradientNormLimit = gradientNormLimit ?? learner.gradientNormLimit
    if let averageDecay {
      learner.average = ExponentialMovingAverage(of: learner.network, decay: averageDecay, warmup: .ratio)
    }
  }

  /// Lets a learner, which has the optimiser, learn so.
  func configure(_ learner: ClassifierLearner) {
    learner.gradientNormLimit = gradientNormLimit
    learner.microBatch = microBatch
    if let averageDecay {
      learner.average = ExponentialMovingAverage(of: learner.model, decay: averageDecay, warmup: .ratio)
    }
    if labelSmoothing > 0 {
      let smoothing = labelSmoothing
      learner.loss = { softmaxCrossEntropy($0, labels: $1, smoothing: smoothing) }
    }
  }
}
