import AviaryTensors

/// Lowers the step size when a metric has not improved for a while, as torch's `ReduceLROnPlateau`: a factor like that of a ``Schedule``,
/// which multiplies with it. The value holds its own state: encoded, it goes on where it was.
public struct Plateau: Sendable, Hashable, Codable {
  /// Which results count as better.
  public enum Direction: String, Sendable, Hashable, Codable {
    /// Lower ones, as of a loss.
    case lower
    /// Higher ones, as of an accuracy.
    case higher
  }

  /// By how much a result has to be better.
  public enum Threshold: Sendable, Hashable, Codable {
    /// By this share of the best one.
    case relative(Double)
    /// By this amount.
    case absolute(Double)
  }

  /// Which results count as better.
  public let direction: Direction
  /// What the step size is multiplied by.
  public let reduction: Double
  /// So many results in a row may be no better; the next one lowers the step size.
  public let patience: Int
  /// By how much a result has to be better.
  public let threshold: Threshold
  /// So many results after a lowering do not count.
  public let cooldown: Int
  /// The factor never falls below this.
  public let minimum: Double

  /// What the first step size is multiplied by now.
  public private(set) var factor: Double = 1
  private var best: Double?
  private var resultsWithoutGain = 0
  private var cooldownLeft = 0

  /// A factor of 1 until results come, with PyTorch's defaults.
  public init(
    _ direction: Direction = .lower, reduction: Double = 0.1, patience: Int = 10,
    threshold: Threshold = .relative(1e-4), cooldown: Int = 0, minimum: Double = 0
  ) {
    require(
      0..<1 ~= reduction && patience >= 0 && cooldown >= 0,
      "a step size lowered to \(reduction) after \(patience) results, then none for \(cooldown)")
    self.direction = direction
    self.reduction = reduction
    self.patience = patience
    self.threshold = threshold
    self.cooldown = cooldown
    self.minimum = minimum
  }

  /// Takes in one more result. One that is NaN is no better.
  ///
  /// - Returns: The factor from now on.
  @discardableResult
  public mutating func observe(_ result: Double) -> Double {
    if isBetter(result) {
      best = result
      resultsWithoutGain = 0
    } else {
      resultsWithoutGain += 1
    }
    if cooldownLeft > 0 {
      cooldownLeft -= 1
      resultsWithoutGain = 0
    }
    if resultsWithoutGain > patience {
      factor = max(factor * reduction, min(minimum, factor))
      cooldownLeft = cooldown
      resultsWithoutGain = 0
    }
    return factor
  }

  private func isBetter(_ result: Double) -> Bool {
    guard let best else { return direction == .lower ? result < .infinity : result > -.infinity }
    return switch (direction, threshold) {
    case (.lower, .relative(let share)): result < best * (1 - share)
    case (.lower, .absolute(let amount)): result < best - amount
    case (.higher, .relative(let share)): result > best * (1 + share)
    case (.higher, .absolute(let amount)): result > best + amount
    }
  }
}
