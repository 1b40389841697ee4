/// A place along a line that was evaluated.
struct LineTrial {
  /// How far along the direction.
  var step: Double
  var loss: Double
  var gradient: PointVector
  /// The derivative of the loss along the direction.
  var slope: Double
}

/// The line search of Nocedal & Wright (Numerical Optimization, algorithms 3.5 and 3.6) with cubic interpolation, decision for decision as
/// torch's L-BFGS has it: a step that fulfils the strong Wolfe conditions, or the best one that `limit` evaluations found.
struct WolfeSearch {
  /// How much of the decrease that the slope promises is asked for (Armijo).
  private let sufficientDecrease = 1e-4
  /// How much of the slope may be left.
  private let curvature = 0.9
  /// The interval is not narrowed further once the point moves by less.
  let changeTolerance: Double
  /// So many evaluations after the first.
  let limit: Int

  /// - Parameters:
  ///   - start: the trial of step 0.
  ///   - first: the first step to try.
  ///   - size: the largest element of the direction.
  func callAsFunction<Failure: Error>(
    from start: LineTrial, first: Double, size: Double, _ evaluate: (Double) throws(Failure) -> LineTrial
  ) throws(Failure) -> (best: LineTrial, evaluations: Int) {
    func isHigh(_ trial: LineTrial) -> Bool {
      trial.loss > start.loss + sufficientDecrease * trial.step * start.slope
    }
    func isFlat(_ trial: LineTrial) -> Bool { abs(trial.slope) <= -curvature * start.slope }

    var trial = try evaluate(first)
    var evaluations = 1
    var previous = start
    var count = 0
    // Widens until two places have the wanted one between them.
    var bracket: (LineTrial, LineTrial)?
    while count < limit {
      if isHigh(trial) || (count > 1 && trial.loss >= previous.loss) {
        bracket = (previous, trial)
        break
      }
      if isFlat(trial) { return (trial, evaluations) }
      if trial.slope >= 0 {
        bracket = (previous, trial)
        break
      }
      let bounds = (trial.step + 0.01 * (trial.step - previous.step), trial.step * 10)
      let next = minimum(previous, trial, within: bounds)
      previous = trial
      trial = try evaluate(next)
      evaluations += 1
      count += 1
    }
    var (low, high) = bracket ?? (start, trial)
    // Which of the two stands first is kept: the interpolation is not symmetric in its rounding.
    var lowIsFirst = low.loss <= high.loss
    if !lowIsFirst { swap(&low, &high) }
    var stalls = false
    while count < limit, abs(high.step - low.step) * size >= changeTolerance {
      var step = lowIsFirst ? minimum(low, high) : minimum(high, low)
      let (left, right) = (min(low.step, high.step), max(low.step, high.step))
      let margin = 0.1 * (right - left)
      // Too near an end twice, or beyond it: a tenth of the interval inwards.
      let isNearEnd = min(right - step, step - left) < margin
      if isNearEnd && (stalls || step >= right || step <= left) {
        step = abs(step - right) < abs(step - left) ? right - margin : left + margin
        stalls = false
      } else {
        stalls = isNearEnd
      }
      trial = try evaluate(step)
      evaluations += 1
      count += 1
      if isHigh(trial) || trial.loss >= low.loss {
        high = trial
        let first = lowIsFirst ? low : high
        let second = lowIsFirst ? high : low
        lowIsFirst = first.loss <= second.loss
        (low, high) = lowIsFirst ? (first, second) : (second, first)
      } else {
        if isFlat(trial) { return (trial, evaluations) }
        if trial.slope * (high.step - low.step) >= 0 { high = low }
        low = trial
      }
    }
    return (low, evaluations)
  }

  /// Where the cubic through two places with their slopes is smallest, kept within bounds, by default those places.
  private func minimum(
    _ a: LineTrial, _ b: LineTrial, within bounds: (Double, Double)? = nil
  ) -> Double {
    let (low, high) = bounds ?? (min(a.step, b.step), max(a.step, b.step))
    let d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.step - b.step)
    let square = d1 * d1 - a.slope * b.slope
    guard square >= 0 else { return (low + high) / 2 }
    let (left, right) = a.step <= b.step ? (a, b) : (b, a)
    let d2 = square.squareRoot()
    let lowest =
      right.step - (right.step - left.step)
      * ((right.slope + d2 - d1) / (right.slope - left.slope + 2 * d2))
    return min(max(lowest, low), high)
  }
}
