import Aviary
import Foundation

/// The training of a classifier: what frozen stages return is kept where it can be, and stages learn from the epochs on that were asked for.
struct ClassifierRun {
  let loaded: LoadedClassifier
  let optimizer: any Optimizer
  let training: any Dataset
  /// Nil when there are no examples to validate on.
  let validation: (any Dataset)?
  let options: TrainingOptions
  /// Whether the training's pictures look different in every epoch.
  var isVaried = false
  var mixing: BatchMixing?
  var schedule = Schedule.constant
  /// What else the learner shall do.
  var configure: (ClassifierLearner) -> Void = { _ in }
  var order = ExampleOrder.shuffled

  /// Trains, reports every epoch, and keeps the best epoch's weights.
  func fit() throws -> [EpochReport] {
    let learner = ClassifierLearner(loaded.model, optimizer)
    learner.useAuxiliaryClassifiers()
    learner.mixing = mixing
    configure(learner)
    let (training, validation) = withFeatures(learner)
    var run = TrainingRun(name: loaded.name, options: options, schedule: schedule, order: order)
    run.onEpochStart = { epoch in
      // Those of earlier epochs too, where a run is gone on with.
      for (first, stages) in options.unfreezing where first <= epoch {
        try loaded.model.unfreeze(parsing: stages)
        if first == epoch, !options.isQuiet {
          Console.print("epoch \(epoch): \(stages) learns from here on")
        }
      }
    }
    // All of them, as a type that is known.
    func all(_ data: any Dataset) -> Subset { Subset(data, Array(0..<data.count)) }
    let judges: Subset? = validation.map { all($0) }
    return try run.fit(learner, all(training), validation: judges) { try loaded.save(to: $0) }
  }

  /// The data as what frozen stages return for it, where there are some at the beginning; the learner then goes on from there.
  private func withFeatures(
    _ learner: ClassifierLearner
  ) -> (training: any Dataset, validation: (any Dataset)?) {
    // What an epoch unfreezes is not the same in the next, and what changes or mixes inputs comes before all stages.
    guard options.unfreezing.isEmpty, mixing == nil, !isVaried,
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
}
