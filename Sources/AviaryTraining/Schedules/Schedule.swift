import AviaryTensors
import Foundation

/// How the step size changes over a training run, step by step, as a factor of the one it began with.
///
/// Schedules are made of others: a warm-up stands in front of any schedule, a sequence is of several. As values they are parts of recipes and
/// checkpoints. What they need of the run they are told (``Run``), so one recipe serves runs of any length.
public struct Schedule: Sendable, Hashable, Codable {
  let curve: Curve

  init(_ curve: Curve) { self.curve = curve }

  public init(from decoder: any Decoder) throws {
    curve = try decoder.singleValueContainer().decode(Curve.self)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(curve)
  }

  /// The factor in a step of a run, which is counted from 0.
  public func factor(at step: Int, of run: Run) -> Float {
    Float(curve.factor(at: Double(step), of: run))
  }

  /// The factor at `progress` (0…1) of a run of `epochs` epochs. The schedule must not count in steps (``Span/steps(_:)``).
  public func factor(progress: Float, epochs: Int) -> Float {
    Float(curve.factor(at: Double(progress), of: Run(unknownStepsOf: epochs)))
  }
}

extension Schedule {
  /// The same at every step.
  public static let constant = Schedule(.constant)

  /// Multiplied by `factor` after every span.
  public static func step(every span: Span, factor: Double) -> Schedule {
    Schedule(.step(every: span, factor: factor))
  }

  /// Multiplied by `factor` at each of some times, in rising order.
  public static func multiStep(at times: [Span], factor: Double) -> Schedule {
    Schedule(.multiStep(at: times, factor: factor))
  }

  /// `factor` to the power of the spans gone by, continuously: by default multiplied by `factor` in every step.
  public static func exponential(factor: Double, every span: Span = .steps(1)) -> Schedule {
    Schedule(.exponential(factor: factor, every: span))
  }

  /// Half a cosine from 1 to 0 over the whole run (Loshchilov & Hutter 2017).
  public static let cosine = Schedule.cosine(minimum: 0)

  /// Half a cosine from 1 to `minimum`, which it keeps from then on; over the whole run unless a span is given.
  public static func cosine(minimum: Double, over span: Span? = nil) -> Schedule {
    Schedule(.cosine(minimum: minimum, over: span))
  }

  /// Half cosines from 1 to `minimum` one after another, each `multiplier` times as long as the one before (SGDR, Loshchilov & Hutter 2017).
  public static func cosineRestarts(first: Span, multiplier: Double = 1, minimum: Double = 0) -> Schedule {
    require(multiplier >= 1, "restarts after spans that grow by \(multiplier)")
    return Schedule(.cosineRestarts(first: first, multiplier: multiplier, minimum: minimum))
  }

  /// A straight line from `start` to `end`, which it keeps from then on; over the whole run unless a span is given.
  public static func linear(from start: Double = 1, to end: Double = 0, over span: Span? = nil) -> Schedule {
    Schedule(.linear(from: start, to: end, over: span))
  }

  /// (1 − t/T)^`power`, then 0 (DeepLab, Chen et al. 2017); over the whole run unless a span is given.
  public static func polynomial(power: Double, over span: Span? = nil) -> Schedule {
    Schedule(.polynomial(power: power, over: span))
  }

  /// One cycle over the whole run (Smith & Topin 2018), as torch's `OneCycleLR`: from 1/`divisor` up to 1 during the first `rise` of the
  /// run, then down to 1/(`divisor`·`finalDivisor`). The optimiser's own rate is the highest one. Momentum stays as it is.
  ///
  /// - Parameters:
  ///   - isLinear: straight lines in place of half cosines.
  ///   - hasThreePhases: down to where it began in as many steps as up, and only then further down, as in the paper.
  public static func oneCycle(
    rise: Double = 0.3, divisor: Double = 25, finalDivisor: Double = 1e4, isLinear: Bool = false,
    hasThreePhases: Bool = false
  ) -> Schedule {
    require(0...(hasThreePhases ? 0.5 : 1) ~= rise, "a cycle that rises for \(rise) of the run")
    return Schedule(
      .oneCycle(
        rise: rise, divisor: divisor, finalDivisor: finalDivisor, isLinear: isLinear,
        hasThreePhases: hasThreePhases))
  }

  /// A straight line from `start` to 1 for a while (Goyal et al. 2017), then another schedule for the rest of the run, which begins there
  /// as if the run did.
  public static func warmup(_ span: Span, from start: Double = 0, then rest: Schedule) -> Schedule {
    .sequence([(.linear(from: start, to: 1), span)], then: rest)
  }

  /// Schedules one after another, each over its span as if that were the whole run; the last one to the run's end.
  public static func sequence(_ pieces: [(schedule: Schedule, span: Span)], then rest: Schedule) -> Schedule {
    pieces.reversed().reduce(rest) { rest, piece in
      Schedule(.sequence(first: piece.schedule.curve, over: piece.span, then: rest.curve))
    }
  }
}
