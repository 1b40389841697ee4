import Aviary
import Foundation

/// The training of a classifier as the program shows it.
struct TrainingRun {
  let loaded: LoadedModel
  let optimizer: any Optimizer
  let training: any Dataset
  /// Nil when there are no examples to validate on.
  let validation: (any Dataset)?
  let options: TrainingOptions
  /// Whether the training's pictures look different in every epoch.
  var isVaried = false
  /// Changes a batch of inputs before a step.
  var augment: ((Tensor) -> Tensor)?
  var schedule = Schedule.constant
  /// What else the learner shall do.
  var configure: (ClassifierLearner) -> Void = { _ in }
  var order = ExampleOrder.shuffled

  /// Trains, reports every epoch, and keeps the best epoch's weights.
  func fit() throws -> [EpochReport] {
    let trainer = Trainer(loaded.model, optimizer)
    let learner = trainer.learner
    learner.useAuxiliaryClassifiers()
    learner.augment = augment
    configure(learner)
    trainer.order = order
    trainer.schedule = schedule
    trainer.patience = options.patience
    let (training, validation) = withFeatures(learner)
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
      // Those of earlier epochs too, where a run is gone on with.
      for (first, stages) in options.unfreezing where first <= epoch {
        try loaded.model.unfreeze(parsing: stages)
        if first < epoch { continue }
        bar.finish()
        if !options.isQuiet { Console.print("epoch \(epoch): \(stages) learns from here on") }
      }
    }
    trainer.onEpoch = { report, isBest in
      if isBest { try loaded.save(to: options.output) }
      if let validation = report.validation {
        let scalars = [("validation/loss", validation.loss)]
        try events?.write(
          scalars + validation.metrics.map { ("validation/\($0.key)", $0.value) }, step: report.epoch * steps)
      }
      bar.finish()
      if !options.isQuiet { Console.print(Self.line(report, isBest)) }
    }
    let keeper = CheckpointKeeper(options, loaded.name)
    let state = try keeper.restore(learner)
    trainer.onState = { state in try keeper.keep(learner, state) }
    // All of them, as a type that is known.
    func all(_ data: any Dataset) -> Subset { Subset(data, Array(0..<data.count)) }
    let judges: Subset? = validation.map { all($0) }
    let reports = try trainer.fit(
      all(training), validation: judges, epochs: options.epochs, batchSize: options.batch,
      seed: options.seed, resuming: state)
    bar.finish()
    try keeper.finish()
    if reports.count < options.epochs, !options.isQuiet {
      Console.print("ended after \(reports.count) epochs: \(options.patience ?? 0) in a row were no better")
    }
    return reports
  }

  /// The data as what frozen stages return for it, where there are some at the beginning; the learner then goes on from there.
  private func withFeatures(
    _ learner: ClassifierLearner
  ) -> (training: any Dataset, validation: (any Dataset)?) {
    // What an epoch unfreezes is not the same in the next, and what augments inputs comes before all stages.
    guard options.unfreezing.isEmpty, augment == nil, !isVaried,
      let prefix = FrozenPrefix(loaded.model, inputShape: loaded.inputShape)
    else { return (training, validation) }
    let rest = prefix.rest(of: loaded.model)
    learner.forward = { TrainingLogits(logits: rest($0)) }
    learner.predict = rest
    func features(_ data: any Dataset, keeps: Bool) -> FeatureDataset {
      FeatureDataset(data, prefix, keepsFeatures: keeps)
    }
    let bytes =
      features(training, keeps: false).byteCount
      + (validation.map { features($0, keeps: false).byteCount } ?? 0)
    let fits = bytes < Int(ProcessInfo.processInfo.physicalMemory / 2)
    let keeps = options.keepsFeatures && fits
    if !options.isQuiet {
      let stages =
        prefix.stages.count == 1 ? prefix.stages[0] : "\(prefix.stages[0])...\(prefix.stages.last!)"
      let text =
        keeps
        ? "is computed once for each picture and kept (\((bytes + 1_000_000) / 1_000_000) MB); --no-feature-cache computes it in each epoch"
        : fits
          ? "is computed in each epoch"
          : "would take \(bytes / 1_000_000) MB to keep, and is computed in each epoch"
      Console.print("what the frozen stages \(stages) return \(text)")
    }
    return (features(training, keeps: keeps), validation.map { features($0, keeps: keeps) })
  }

  private static func line(_ report: EpochReport, _ isBest: Bool) -> String {
    var line = String(
      format: "epoch %d  loss %.4f  accuracy %.4f", report.epoch, report.training.loss,
      report.training.accuracy)
    if let validation = report.validation {
      line += String(format: "  validation loss %.4f  accuracy %.4f", validation.loss, validation.accuracy)
    }
    return line + String(format: "  %.1f s", report.seconds) + (isBest ? "  (best, saved)" : "")
  }
}
