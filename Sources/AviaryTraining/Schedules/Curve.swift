import Foundation

extension Schedule {
  /// What a schedule is made of, as recipes write it.
  indirect enum Curve: Sendable, Hashable, Codable {
    case constant
    case step(every: Span, factor: Double)
    case multiStep(at: [Span], factor: Double)
    case exponential(factor: Double, every: Span)
    case cosine(minimum: Double, over: Span?)
    case cosineRestarts(first: Span, multiplier: Double, minimum: Double)
    case linear(from: Double, to: Double, over: Span?)
    case polynomial(power: Double, over: Span?)
    case oneCycle(rise: Double, divisor: Double, finalDivisor: Double, isLinear: Bool, hasThreePhases: Bool)
    case sequence(first: Curve, over: Span, then: Curve)

    /// The factor at a time of a run, in the unit of its length.
    func factor(at time: Double, of run: Run) -> Double {
      switch self {
      case .constant: return 1
      case .step(let every, let factor):
        return pow(factor, Self.periods(time, run.period(every)).rounded(.down))
      case .multiStep(let times, let factor):
        return pow(factor, Double(times.count { Self.periods(time, run.length(of: $0)) >= 1 }))
      case .exponential(let factor, let every): return pow(factor, time / run.period(every))
      case .cosine(let minimum, let span):
        return Self.cosine(from: 1, to: minimum, share(time, over: span, run))
      case .cosineRestarts(let first, let multiplier, let minimum):
        return Self.cosine(from: 1, to: minimum, Self.restartShare(time, run.period(first), multiplier))
      case .linear(let start, let end, let span):
        return start + (end - start) * share(time, over: span, run)
      case .polynomial(let power, let span): return pow(1 - share(time, over: span, run), power)
      case .oneCycle(let rise, let divisor, let finalDivisor, let isLinear, let hasThreePhases):
        // The last step of a phase reaches its end.
        let last: Double = run.knowsSteps ? 1 : 0
        let (low, end) = (1 / divisor, run.length - last)
        let peak = rise * run.length - last
        let turns: [(time: Double, value: Double)] =
          hasThreePhases
          ? [(0, low), (peak, 1), (2 * rise * run.length - 2 * last, low), (end, low / finalDivisor)]
          : [(0, low), (peak, 1), (end, low / finalDivisor)]
        return Self.broken(time, turns, isLinear: isLinear)
      case .sequence(let first, let span, let rest):
        let length = min(run.length(of: span), run.length)
        if time < length { return first.factor(at: time, of: run.without(run.length - length)) }
        return rest.factor(at: time - length, of: run.without(length))
      }
    }

    /// How much of a span has gone by, 1 at most.
    private func share(_ time: Double, over span: Span?, _ run: Run) -> Double {
      let length = span.map { run.length(of: $0) } ?? run.length
      return length > 0 ? min(time / length, 1) : 1
    }

    /// How many periods have gone by; progress counted as Float may lie a little below a whole one.
    private static func periods(_ time: Double, _ period: Double) -> Double {
      period > 0 ? time / period + 1e-6 : 1
    }

    private static func cosine(from start: Double, to end: Double, _ share: Double) -> Double {
      end + (start - end) * (1 + cos(.pi * share)) / 2
    }

    /// How much of the current one of several spans has gone by, each `multiplier` times as long as the one before.
    private static func restartShare(_ time: Double, _ first: Double, _ multiplier: Double) -> Double {
      var (start, length) = (0.0, first)
      if multiplier == 1 {
        start = (time / first + 1e-9).rounded(.down) * first
      } else {
        while time >= start + length {
          start += length
          length *= multiplier
        }
      }
      return max(time - start, 0) / length
    }

    /// Between corners, given by their times and values.
    private static func broken(
      _ time: Double, _ corners: [(time: Double, value: Double)], isLinear: Bool
    ) -> Double {
      for (from, to) in zip(corners, corners.dropFirst()) where time <= to.time {
        let share = to.time > from.time ? (time - from.time) / (to.time - from.time) : 1
        return isLinear
          ? from.value + (to.value - from.value) * share : cosine(from: from.value, to: to.value, share)
      }
      return corners.last?.value ?? 1
    }
  }
}
