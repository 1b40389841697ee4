import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights

/// How the weights of a file fit a classifier of the catalogue: in which dialect, and under which names. `NetworkMatching` does it for networks of the
/// other tasks.
struct ClassifierMatching {
  private let entry: ZooEntry
  private let card: Card
  private let file: WeightFile
  private let adaptation: Adaptation
  private let allowing: Allowance

  /// A model with first values, and the weights for it under our names.
  typealias Match = (loaded: LoadedClassifier, weights: WeightArchive)

  init(_ entry: ZooEntry, _ file: WeightFile, _ adaptation: Adaptation, _ allowing: Allowance) throws {
    self.entry = entry
    self.file = file
    self.adaptation = adaptation
    self.allowing = allowing
    card = try entry.card()
  }

  /// The first dialect that the weights fit, or the one that a portable file names; throws `WeightsError` with everything that does not fit.
  ///
  /// Of the models that a checkpoint holds, one that is not preferred is taken when the preferred one has nothing of this model.
  func match() throws -> Match {
    if let metadata = file.archive.portable, let dialect = metadata.dialect {
      return try described(metadata, dialect)
    }
    let attempt = try attempt(file.archive)
    if let match = attempt.match, match.loaded.report?.unexpected.isEmpty == true { return match }
    if attempt.match == nil, attempt.closest?.matched.isEmpty ?? true {
      for alternative in file.archive.alternatives {
        guard var match = try self.attempt(alternative).match else { continue }
        let (taken, left) = (
          alternative.metadata["unwrapped"] ?? "", file.archive.metadata["unwrapped"] ?? ""
        )
        match.loaded.changes.append("the weights under \(taken) are taken: those under \(left) fit nothing")
        return match
      }
    }
    if let other = Zoo.identify(file.archive), other.entry.name != entry.name {
      throw WeightsError(
        .mismatched, "the file holds weights of \(other.entry.name), but \(entry.name) was asked for",
        file: file.path)
    }
    if let match = attempt.match { return match }
    guard let closest = attempt.closest else { throw attempt.failure! }
    try closest.requireComplete(file: file.path, hint: Allowance.unexpected.hint)
    requirementFailure("a report that fits was found before")
  }

  // MARK: By tensors

  private struct Attempt {
    var match: Match?
    /// The report with the most in common, when nothing fits.
    var closest: LoadReport?
    var failure: (any Error)?
  }

  /// All dialects in turn, until one has neither less nor more than an archive.
  private func attempt(_ archive: WeightArchive) throws -> Attempt {
    var result = Attempt()
    for dialect in entry.dialects {
      let template = dialect.make(card.classes)
      let weights: WeightArchive
      do {
        weights = try dialect.imported(archive, into: template)
      } catch {
        // Another dialect's layers may have these shapes.
        result.failure = result.failure ?? error
        continue
      }
      let classes = adaptation.classes ?? weights.classCount(template) ?? card.classes
      let model = dialect.make(classes)
      let input = model.take(inputOf: weights, from: dialect.inputShape(card))
      let replaceable = try model.replaceable(adaptation, weights) { dialect.make(classes + 1) }
      let report = model.report(weights, replaceable: replaceable)
      if report.matched.count > result.closest?.matched.count ?? -1 { result.closest = report }
      let fewest = result.match?.loaded.report?.unexpected.count ?? .max
      guard report.isComplete, report.unexpected.count < fewest, allowsUnexpected(report, replaceable) else {
        continue
      }
      var preprocessing = dialect.preprocessing.with(channels: input[0]).with(statisticsOf: weights)
      if model is any ResizableModel { preprocessing = preprocessing.with(side: input[1]) }
      var loaded = LoadedClassifier(
        name: entry.name, dialect: dialect, model: model, preprocessing: preprocessing,
        labels: try dialect.labels.names(count: model), inputShape: input, smallestSide: entry.smallestSide)
      tell(report, classes: classes, in: &loaded)
      result.match = (loaded, weights)
      if report.unexpected.isEmpty { break }
    }
    return result
  }

  /// Tensors that only the file has stop nothing where that was asked for, or where a new head comes and they are of no part that stays.
  private func allowsUnexpected(_ report: LoadReport, _ replaceable: Set<String>) -> Bool {
    if report.unexpected.isEmpty || allowing.contains(.unexpected) { return true }
    let hasNewHead = adaptation.part != .whole || !report.initialised.isEmpty
    return hasNewHead && report.hasOnlyForeign(to: report.matched.filter { !replaceable.contains($0) })
  }

  private func tell(_ report: LoadReport, classes: Int, in loaded: inout LoadedClassifier) {
    loaded.report = report
    // What will be cut off is no news.
    if adaptation.part == .whole, !report.initialised.isEmpty {
      loaded.changes.append(
        "a new head for \(classes) classes: \(report.initialised.joined(separator: ", ")) begin with first values"
      )
    }
    if !report.unexpected.isEmpty {
      loaded.changes.append("left out of what the file holds: \(report.unexpected.shortList)")
    }
  }

  // MARK: By description

  private func described(_ metadata: PortableMetadata, _ dialectName: String) throws -> Match {
    let dialect = try entry.dialect(dialectName, of: metadata, file: file.path)
    let promised = metadata.numClasses ?? card.classes
    guard promised > 0, promised < 1 << 24 else {
      throw WeightsError(.malformed, "\(promised) classes are promised", file: file.path)
    }
    let classes = adaptation.classes ?? promised
    let description = try DescribedNetwork(
      metadata, dialect, entry, card, file.archive, classes: promised, file: file.path)
    let model = try description.build(classes: classes)
    let weights = try dialect.imported(file.archive, into: model)
    let replaceable = try model.replaceable(adaptation, weights) {
      try description.build(classes: classes + 1)
    }
    let report = model.report(weights, replaceable: replaceable)
    try report.requireComplete(
      file: file.path, allowingUnexpected: allowsUnexpected(report, replaceable),
      hint: Allowance.unexpected.hint)
    let names = classes == promised ? metadata.labels : nil
    let labels = try names ?? dialect.labels.names(count: model)
    guard labels.count == classes else {
      throw WeightsError(.malformed, "\(labels.count) labels for \(classes) classes", file: file.path)
    }
    var loaded = LoadedClassifier(
      name: entry.name, dialect: dialect, model: model,
      preprocessing: try metadata.preprocessing.map { try Preprocessing($0, file: file.path) }
        ?? dialect.preprocessing,
      labels: labels, inputShape: description.input,
      smallestSide: (model as? TransferModel)?.junction == .flatten ? nil : entry.smallestSide)
    loaded.source = metadata.source
    loaded.licence = metadata.licence
    if report.initialised.isEmpty {
      loaded.metrics = metadata.metrics
      loaded.stages = metadata.stages
    }
    tell(report, classes: classes, in: &loaded)
    return (loaded, weights)
  }
}

extension ZooEntry {
  /// The dialect that a portable file names; throws `WeightsError` when the file is of another model, or of a dialect that was not asked for.
  func dialect(_ dialectName: String, of metadata: PortableMetadata, file: String) throws -> Dialect {
    if let model = metadata.model, model != name {
      throw WeightsError(
        .mismatched, "the file holds weights of \(model), but \(name) was asked for", file: file)
    }
    guard let dialect = dialect(named: dialectName) else {
      throw WeightsError(
        .mismatched,
        "the file's weights are of the dialect \(dialectName), but \(name) was to be read as \(dialects.map(\.name).joined(separator: " or "))",
        file: file)
    }
    return dialect
  }
}

extension LoadReport {
  /// Whether what only the file has belongs to no part of which `kept` are the tensors: another head or a loss, and not blocks of a larger
  /// network of the same kind.
  func hasOnlyForeign(to kept: [String]) -> Bool {
    let parts = Set(kept.map(\.firstStep))
    return unexpected.allSatisfy { !parts.contains($0.firstStep) }
  }
}

extension String {
  /// `layer1` of `layer1.0.conv1.weight`.
  fileprivate var firstStep: Substring { prefix { $0 != "." && $0 != "/" } }
}

extension [String] {
  /// The first few, and how many there are besides.
  var shortList: String {
    let shown = 6
    return prefix(shown).map(\.shown).joined(separator: ", ")
      + (count > shown ? " and \(count - shown) more" : "")
  }
}
