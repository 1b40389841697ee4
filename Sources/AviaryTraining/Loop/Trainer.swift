import AviaryTensors
import Foundation

/// The training loop: shuffles, takes batches, lets the learner take a step on each, validates after every epoch.
public final class Trainer<Student: Learner> {
  /// Who learns.
  public let learner: Student
  /// How the step sizes change over the run.
  public var schedule: Schedule = .constant
  /// In which order an epoch takes its examples.
  public var order = ExampleOrder.shuffled
  /// Threads that make batches while the learner learns; none to make each when it is wanted.
  public var workers = 1
  /// The run ends early when so many epochs in a row were no better than the best; nil to go on to the end.
  public var patience: Int?
  /// Called after every step.
  public var onProgress: ((TrainingProgress) -> Void)?
  /// Called after every step, with its numbers. Throwing ends the run.
  public var onStep: ((StepReport) throws -> Void)?
  /// Called after every epoch; `isBest` when no result of the validation (else of the training) was better before. Throwing ends the run.
  public var onEpoch: ((EpochReport, _ isBest: Bool) throws -> Void)?
  /// Called whenever the run could be gone on with later: after every step, before what is said of an epoch, and after it. Throwing ends
  /// the run.
  public var onState: ((TrainingState) throws -> Void)?
  /// Called before the first step of an epoch, counted from 1, and on resuming in the middle of one: to unfreeze, say. Throwing ends the
  /// run.
  public var onEpochStart: ((_ epoch: Int) throws -> Void)?

  /// A loop for a learner, whose optimisers begin with the step sizes that they have.
  public init(_ learner: Student) { self.learner = learner }

  /// A training run. The same seed, data and thread count give the same result, whether it was interrupted or not. No epochs change nothing.
  ///
  /// - Parameter state: where to go on, as ``onState`` was told it, with the weights and the optimisers as they were then.
  /// - Returns: a report of each epoch, those before `state` included.
  /// - Throws: ``TrainingError`` when there is nothing to learn from, the state is of another run or the loss is no finite number any more, and
  ///   whatever the data, the learner and the functions that are called throw.
  @discardableResult
  public func fit(
    _ training: any TrainingData<Student.Batch>, validation: (any TrainingData<Student.Batch>)? = nil,
    epochs: Int, batchSize: Int = 32, seed: UInt64 = 0, resuming state: TrainingState? = nil
  ) throws -> [EpochReport] {
    require(epochs >= 0 && batchSize > 0, "\(epochs) epochs in batches of \(batchSize)")
    guard training.count > 0 else { throw TrainingError.noExamples }
    let plan = TrainingState.Plan(
      examples: training.count, epochs: epochs, batchSize: batchSize, seed: seed)
    try state?.check(plan)
    var state = state ?? TrainingState(plan)
    let loader = DataLoader(training, batchSize: batchSize, seed: seed, order: order, workers: workers)
    let rates = learner.optimizers.map(\.learningRate)
    defer {
      for (optimizer, rate) in zip(learner.optimizers, rates) { optimizer.learningRate = rate }
      for module in learner.modules { module.evaluate() }
    }
    while !state.isFinished {
      if let patience, state.epochsWithoutGain >= patience { break }
      try onEpochStart?(state.epoch)
      try learn(loader, rates, &state)
      try judge(validation, &state)
    }
    return state.reports
  }

  /// The steps of an epoch that are left.
  private func learn(
    _ loader: DataLoader<Student.Batch>, _ rates: [Float], _ state: inout TrainingState
  ) throws {
    let (plan, start) = (state.plan, Date())
    let (before, waited) = (state.seconds, state.secondsWaited)
    let run = Schedule.Run(steps: plan.steps * plan.epochs, epochs: plan.epochs)
    for module in learner.modules { module.train() }
    let batches = loader.epoch(state.epoch, startingAt: state.step)
    while let batch = try batches.next() {
      let step = state.stepsTaken
      for (optimizer, rate) in zip(learner.optimizers, rates) {
        optimizer.learningRate = rate * schedule.factor(at: step, of: run)
      }
      let outcome = try withRandomSeed(UInt64(state.epoch) << 32 | UInt64(state.step) ^ plan.seed) {
        try learner.learn(from: batch)
      }
      guard outcome.loss.isFinite else {
        throw TrainingError.loss(outcome.loss, epoch: state.epoch, step: state.step + 1)
      }
      state.step += 1
      state.learningRate = learner.optimizers.first?.learningRate ?? 0
      state.running = state.running.joined(with: outcome)
      state.seconds = before - start.timeIntervalSinceNow
      state.secondsWaited = waited + batches.secondsWaited
      try onStep?(
        StepReport(step: state.stepsTaken, evaluation: outcome, learningRate: state.learningRate))
      onProgress?(
        TrainingProgress(
          epoch: state.epoch, epochs: plan.epochs, seen: state.running.count, total: plan.examples,
          loss: state.running.loss))
      try onState?(state)
    }
    for module in learner.modules { module.evaluate() }
  }

  /// The end of an epoch: validation, the report, and where the next one begins.
  private func judge(
    _ validation: (any TrainingData<Student.Batch>)?, _ state: inout TrainingState
  ) throws {
    let start = Date()
    // What is judged is what is saved.
    let (report, isBest) = try learner.withWeightsForUse {
      var report = EpochReport(
        epoch: state.epoch, training: state.running,
        validation: try validation.map {
          try learner.evaluation(on: $0, batchSize: state.plan.batchSize)
        },
        learningRate: state.learningRate, seconds: state.seconds, secondsWaited: state.secondsWaited)
      report.seconds -= start.timeIntervalSinceNow
      if let loss = report.validation?.loss, !loss.isFinite {
        throw TrainingError.validationLoss(loss, epoch: state.epoch)
      }
      let isBest =
        state.best.map { learner.isBetter(report.judged, than: state.reports[$0].judged) } ?? true
      // Whoever is told of the epoch is told once more when the run ends before the next state is kept.
      try onEpoch?(report, isBest)
      return (report, isBest)
    }
    state.reports.append(report)
    if isBest { state.best = state.reports.count - 1 }
    state.epoch += 1
    (state.step, state.running) = (0, .none)
    (state.seconds, state.secondsWaited) = (0, 0)
    try onState?(state)
  }
}

extension EpochReport {
  /// What decides whether the epoch was better than others.
  var judged: Evaluation { validation ?? training }
}
