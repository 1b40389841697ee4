import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights
import Foundation

/// What users call first: models by name.
public enum Zoo {
  /// A model by name with first values, in its first dialect.
  public static func model(_ name: String, classes: Int? = nil) throws -> any StagedModel {
    let entry = try Catalogue.entry(name)
    try Adaptation(classes: classes).checkClasses(name)
    return try entry.makeModel(classes: classes)
  }

  /// A model with first values and what is bound to its first dialect: where training begins.
  public static func untrained(
    _ entry: ZooEntry, _ adaptation: Adaptation = .init()
  ) throws -> LoadedModel {
    let card = try entry.card()
    let dialect = entry.dialects[0]
    try adaptation.checkClasses(entry.name)
    let model = dialect.make(adaptation.classes ?? card.classes)
    var result = LoadedModel(
      name: entry.name, dialect: dialect, model: model, preprocessing: dialect.preprocessing,
      labels: try dialect.labels.names(count: model), inputShape: dialect.inputShape(card),
      smallestSide: entry.smallestSide)
    try result.adapt(adaptation)
    return result
  }

  /// A model by name with the weights of a file in any known format, or, when no file is given, with those that come with the zoo
  /// or were pulled (see ``pull(_:mirror:isOffline:isForced:policy:waiting:report:)``). Never uses the network. A name with a dot chooses a
  /// set, and a file's dialect: `resnet50.keras_v1`.
  ///
  /// Otherwise the dialect (strides, padding, constants, preprocessing) is the first whose names and shapes the file has; a portable file
  /// says it itself.
  /// Classes, input channels or an input size (height and width) other than the weights' own adapt the network: a new head starts from
  /// first values, the first convolution is summed or repeated over channels, learned positions are resampled. The result tells it in
  /// ``LoadedModel/changes``, and its files need no such options.
  /// - Throws: ``UnknownModel``, ``NoWeights``, ``AdaptationError``, or `WeightsError` with everything that does not fit.
  public static func load(
    _ name: String, weights path: String? = nil, classes: Int? = nil, channels: Int? = nil, size: Int? = nil
  ) throws -> LoadedModel {
    try load(name, weights: path, Adaptation(classes: classes, channels: channels, side: size))
  }

  /// As ``load(_:weights:classes:channels:size:)``, also for files that lack what a new head will replace.
  public static func load(
    _ name: String, weights path: String?, _ adaptation: Adaptation
  ) throws -> LoadedModel {
    let (entry, chosen) = try Catalogue.selection(name)
    guard let path = path ?? (chosen == nil ? try? Resources.url(entry.name, "safetensors").path : nil) else {
      guard let (weights, file) = try pulled(entry, chosen),
        let dialect = entry.dialect(named: weights.card.dialect)
      else { throw NoWeights(model: name) }
      return try load(entry.only(dialect), try WeightFile.open(file.path), adaptation).published(
        as: weights, file)
    }
    let file = try WeightFile.open(path)
    // A flipped bit in the data shows in nothing but the digest.
    if file.format == .portable { try SafetensorsFile.verify(path) }
    return try load(entry, file, adaptation)
  }

  /// As ``load(_:weights:_:)`` for weights that were read already.
  public static func load(
    _ entry: ZooEntry, _ file: WeightFile, _ adaptation: Adaptation = .init()
  ) throws -> LoadedModel {
    try adaptation.checkClasses(entry.name)
    let (loaded, archive) = try matched(entry, file, adaptation)
    loaded.model.assign(archive, loaded.report!)
    return try loaded.adapted(adaptation)
  }

  /// The weights of a file with our names and the metadata of a portable file, for converters: nothing is loaded, and tensors that need
  /// work are computed when they are asked for.
  ///
  /// - Returns: the weights, and the model they fit, which still has its first values.
  /// - Throws: as ``load(_:_:_:)``.
  public static func described(
    _ entry: ZooEntry, _ file: WeightFile
  ) throws -> (model: LoadedModel, weights: WeightArchive) {
    let (loaded, archive) = try matched(entry, file, .init())
    let entries = loaded.model.stateEntries
    var weights = try archive.selecting(entries.filter { !$0.isFixed }.map { ($0.name, $0.name) })
    for entry in entries where entry.isFixed { try weights.append(entry.name, loaded.value(of: entry)) }
    weights.metadata = [:]
    weights.keras = nil
    return (loaded, try loaded.describing(weights))
  }

  /// The model and dialect that a file's weights fit, with first values, and the weights under our names.
  private static func matched(
    _ entry: ZooEntry, _ file: WeightFile, _ adaptation: Adaptation
  ) throws -> (LoadedModel, WeightArchive) {
    let card = try entry.card()
    if let metadata = file.archive.portable, let dialectName = metadata.dialect {
      return try matchedDescribed(entry, card, file, metadata, dialectName, adaptation)
    }
    var closest: LoadReport?
    var failure: (any Error)?
    for dialect in entry.dialects {
      let template = dialect.make(card.classes)
      let archive: WeightArchive
      do {
        archive = try dialect.imported(file.archive, into: template)
      } catch {
        // Another dialect's layers may have these shapes.
        failure = failure ?? error
        continue
      }
      let classes = adaptation.classes ?? archive.classCount(template) ?? card.classes
      let model = dialect.make(classes)
      let input = model.take(inputOf: archive, from: dialect.inputShape(card))
      let replaceable = try model.replaceable(adaptation, archive) { dialect.make(classes + 1) }
      let report = model.report(archive, replaceable: replaceable)
      if report.isComplete && report.unexpected.isEmpty {
        var preprocessing = dialect.preprocessing.with(channels: input[0]).with(statisticsOf: archive)
        if model is any ResizableModel { preprocessing = preprocessing.with(side: input[1]) }
        let loaded = LoadedModel(
          name: entry.name, dialect: dialect, model: model, preprocessing: preprocessing,
          labels: try dialect.labels.names(count: model), inputShape: input, smallestSide: entry.smallestSide)
        return (loaded.reporting(report, classes: classes, adaptation), archive)
      }
      if closest == nil || report.matched.count > closest!.matched.count { closest = report }
    }
    if let other = identify(file.archive), other.entry.name != entry.name {
      throw WeightsError(
        .mismatched, "the file holds weights of \(other.entry.name), but \(entry.name) was asked for",
        file: file.path)
    }
    guard let closest else { throw failure! }
    try closest.requireComplete(file: file.path)
    requirementFailure("a report that fits was found before")
  }

  private static func matchedDescribed(
    _ entry: ZooEntry, _ card: Card, _ file: WeightFile, _ metadata: PortableMetadata, _ dialectName: String,
    _ adaptation: Adaptation
  ) throws -> (LoadedModel, WeightArchive) {
    if let name = metadata.model, name != entry.name {
      throw WeightsError(
        .mismatched, "the file holds weights of \(name), but \(entry.name) was asked for", file: file.path)
    }
    guard let dialect = entry.dialect(named: dialectName) else {
      throw WeightsError(
        .mismatched,
        "the file's weights are of the dialect \(dialectName), but \(entry.name) was to be read as \(entry.dialects.map(\.name).joined(separator: " or "))",
        file: file.path)
    }
    let promised = metadata.numClasses ?? card.classes
    guard promised > 0, promised < 1 << 24 else {
      throw WeightsError(.malformed, "\(promised) classes are promised", file: file.path)
    }
    let classes = adaptation.classes ?? promised
    let description = try DescribedNetwork(metadata, dialect, entry, card, classes: promised, file: file.path)
    let model = try description.build(classes: classes)
    let archive = try dialect.imported(file.archive, into: model)
    let replaceable = try model.replaceable(adaptation, archive) {
      try description.build(classes: classes + 1)
    }
    let report = model.report(archive, replaceable: replaceable)
    try report.requireComplete(file: file.path)
    let names = classes == promised ? metadata.labels : nil
    let labels = try names ?? dialect.labels.names(count: model)
    guard labels.count == classes else {
      throw WeightsError(.malformed, "\(labels.count) labels for \(classes) classes", file: file.path)
    }
    var result = LoadedModel(
      name: entry.name, dialect: dialect, model: model,
      preprocessing: try metadata.preprocessing.map { try Preprocessing($0, file: file.path) }
        ?? dialect.preprocessing,
      labels: labels, inputShape: description.input,
      smallestSide: (model as? TransferModel)?.junction == .flatten ? nil : entry.smallestSide)
    result.source = metadata.source
    result.licence = metadata.licence
    if report.initialised.isEmpty {
      result.metrics = metadata.metrics
      result.stages = metadata.stages
    }
    return (result.reporting(report, classes: classes, adaptation), archive)
  }
}

extension LoadedModel {
  /// With what a load found.
  fileprivate func reporting(
    _ report: LoadReport, classes: Int, _ adaptation: Adaptation
  ) -> LoadedModel {
    var result = self
    result.report = report
    // What will be cut off is no news.
    if adaptation.part == .whole, !report.initialised.isEmpty {
      result.changes.append(
        "a new head for \(classes) classes: \(report.initialised.joined(separator: ", ")) begin with first values"
      )
    }
    return result
  }

  /// Adapted to the input that was asked for; the weights must be in place.
  fileprivate func adapted(_ adaptation: Adaptation) throws(AdaptationError) -> LoadedModel {
    var result = self
    try result.adapt(adaptation)
    if !result.changes.isEmpty { result.stages = nil }
    return result
  }
}

/// The zoo has no weights of its own for a model.
public struct NoWeights: Error, CustomStringConvertible, Equatable {
  public let model: String
  public var description: String {
    "there are no weights of \(model) here: run 'aviary pull \(model)', or name a file with --weights"
  }
}
