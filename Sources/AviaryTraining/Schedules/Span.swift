import AviaryTensors

extension Schedule {
  /// A length of time in a training run.
  public enum Span: Sendable, Hashable, Codable {
    /// So many steps of the optimiser.
    case steps(Int)
    /// So often through the training data; need not be whole.
    case epochs(Double)
    /// This share of the run, or of the rest of it where something stands in front.
    case share(Double)
  }

  /// What schedules need to know of a training run.
  public struct Run: Sendable, Hashable, Codable {
    /// All steps of the optimiser; as progress, where their number is not known, 1.
    let length: Double
    /// All epochs.
    let epochs: Double
    let knowsSteps: Bool

    /// A run of so many steps of the optimiser in so many epochs.
    public init(steps: Int, epochs: Int) {
      require(steps >= 0 && epochs >= 0, "a run of \(steps) steps in \(epochs) epochs")
      self.init(length: Double(steps), epochs: Double(epochs), knowsSteps: true)
    }

    init(unknownStepsOf epochs: Int) {
      require(epochs >= 0, "a run of \(epochs) epochs")
      self.init(length: 1, epochs: Double(epochs), knowsSteps: false)
    }

    private init(length: Double, epochs: Double, knowsSteps: Bool) {
      self.length = length
      self.epochs = epochs
      self.knowsSteps = knowsSteps
    }

    /// The run without its first `length`, or only that.
    func without(_ part: Double) -> Run {
      let rest = max(length - part, 0)
      return Run(length: rest, epochs: length > 0 ? epochs * rest / length : 0, knowsSteps: knowsSteps)
    }

    /// A span in the unit of ``length``; whole steps where those are known.
    func length(of span: Span) -> Double {
      switch span {
      case .steps(let count):
        require(knowsSteps, "a schedule that counts steps, in a run whose steps are not known")
        return Double(count)
      case .epochs(let count): return rounded(epochs > 0 ? count * length / epochs : 0)
      case .share(let share): return rounded(share * length)
      }
    }

    /// As ``length(of:)`` for spans that are repeated or divided by.
    func period(_ span: Span) -> Double {
      let period = length(of: span)
      require(period > 0 || length == 0, "a schedule that changes every \(span.text)")
      // A span of less than half a step is one step.
      return period > 0 ? period : 1
    }

    private func rounded(_ length: Double) -> Double { knowsSteps ? length.rounded() : length }
  }
}

extension Schedule.Span {
  fileprivate var text: String {
    switch self {
    case .steps(let count): "\(count) steps"
    case .epochs(let count): "\(count) epochs"
    case .share(let share): "\(share) of the run"
    }
  }
}
