import Aviary
import Foundation

/// A training run of anything as the program shows it: progress, a line for each epoch, event files, checkpoints, the best epoch's weights.
struct TrainingRun {
  /// The catalogue's name of what learns.
  let name: String
  let options: TrainingOptions
  var schedule = Schedule.constant
  var order = ExampleOrder.shuffled
  /// Called before an epoch, counted from 1, and once more on going on in the middle of one.
  var onEpochStart: (_ epoch: Int) throws -> Void = { _ in }
  /// Called after an epoch, when its line is told.
  var onEpoch: (EpochReport) -> Void = { _ in }

  /// Trains.
  ///
  /// - Parameter save: writes the weights that the learner has, those of the best epoch so far.
  func fit<Student: Learner>(
    _ learner: Student, _ training: any TrainingData<Student.Batch>,
    validation: (any TrainingData<Student.Batch>)?, save: @escaping (_ path: String) throws -> Void
  ) throws -> [EpochReport] {
    let trainer = Trainer(learner)
    trainer.order = order
    trainer.schedule = schedule
    trainer.patience = options.patience
    let bar = ProgressBar()
    trainer.onProgress = { progress in
      bar.update(
        "epoch \(progress.epoch)/\(progress.epochs)",
        done: (progress.epoch - 1) * progress.total + progress.seen,
        total: progress.epochs * progress.total, note: String(format: "loss %.4f", progress.loss))
    }
    let events = try options.tensorboard.map { try EventFile(in: $0) }
    trainer.onStep = { step in
      var scalars = [("training/loss", step.evaluation.loss), ("learning_rate", step.learningRate)]
      scalars += step.evaluation.metrics.map { ("training/\($0.key)", $0.value) }
      try events?.write(scalars, step: step.step)
    }
    let steps = (training.count + options.batch - 1) / options.batch
    trainer.onEpochStart = { epoch in
      bar.finish()
      try onEpochStart(epoch)
    }
    trainer.onEpoch = { report, isBest in
      if isBest { try save(options.output) }
      if let validation = report.validation {
        let scalars = [("validation/loss", validation.loss)]
        try events?.write(
          scalars + validation.metrics.map { ("validation/\($0.key)", $0.value) }, step: report.epoch * steps)
      }
      bar.finish()
      if !options.isQuiet {
        Console.print(Self.line(report, isBest))
        onEpoch(report)
      }
    }
    let keeper = CheckpointKeeper(options, name)
    let state = try keeper.restore(learner)
    trainer.onState = { state in try keeper.keep(learner, state) }
    let reports = try trainer.fit(
      training, validation: validation, epochs: options.epochs, batchSize: options.batch,
      seed: options.seed, resuming: state)
    bar.finish()
    try keeper.finish()
    if reports.count < options.epochs, !options.isQuiet {
      Console.print("ended after \(reports.count) epochs: \(options.patience ?? 0) in a row were no better")
    }
    return reports
  }

  private static func line(_ report: EpochReport, _ isBest: Bool) -> String {
    var line = "epoch \(report.epoch)  " + numbers(report.training)
    if let validation = report.validation { line += "  validation " + numbers(validation) }
    return line + String(format: "  %.1f s", report.seconds) + (isBest ? "  (best, saved)" : "")
  }

  /// `loss 0.1234  accuracy 0.9876`
  private static func numbers(_ evaluation: Evaluation) -> String {
    let metrics = evaluation.metrics.sorted { $0.key < $1.key }
    return ([("loss", evaluation.loss)] + metrics.map { ($0.key, $0.value) })
      .map { String(format: "%@ %.4f", $0.0, $0.1) }.joined(separator: "  ")
  }
}
