import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights
import Foundation

/// What users call first: models by name.
public enum Zoo {
  /// A model by name with first values, in its first dialect.
  public static func model(_ name: String, classes: Int? = nil) throws -> any StagedModel {
    try Catalogue.entry(name).makeModel(classes: classes)
  }

  /// A model with first values and what is bound to its first dialect: where training begins.
  public static func untrained(_ entry: ZooEntry) throws -> LoadedModel {
    let card = try entry.card()
    let dialect = entry.dialects[0]
    let model = dialect.make(card.classes)
    return LoadedModel(
      name: entry.name, dialect: dialect, model: model, preprocessing: dialect.preprocessing,
      labels: try dialect.labels.names(count: model), inputShape: card.input, smallestSide: entry.smallestSide
    )
  }

  /// A model by name with the weights of a file in any known format, or, when no file is given, with those that come with the zoo
  /// or were pulled (see ``pull(_:mirror:isOffline:isForced:policy:waiting:report:)``). Never uses the network. A name with a dot chooses a set: `resnet50.keras_v1`.
  ///
  /// The dialect (strides, padding, constants, preprocessing) is the one whose names and shapes the file has; a portable file says it itself.
  /// - Throws: ``UnknownModel``, ``NoWeights``, or `WeightsError` with everything that does not fit.
  public static func load(_ name: String, weights path: String? = nil) throws -> LoadedModel {
    let (entry, chosen) = try Catalogue.selection(name)
    guard let path = path ?? (chosen == nil ? try? Resources.url(name, "safetensors").path : nil) else {
      guard let (weights, file) = try pulled(entry, chosen) else { throw NoWeights(model: name) }
      return try load(entry, try WeightFile.open(file.path)).published(as: weights, file)
    }
    let file = try WeightFile.open(path)
    // A flipped bit in the data shows in nothing but the digest.
    if file.format == .portable { try SafetensorsFile.verify(path) }
    return try load(entry, file)
  }

  /// As ``load(_:weights:)`` for weights that were read already.
  public static func load(_ entry: ZooEntry, _ file: WeightFile) throws -> LoadedModel {
    let (loaded, archive) = try matched(entry, file)
    loaded.model.assign(archive)
    return loaded
  }

  /// The weights of a file with our names and the metadata of a portable file, for converters: nothing is loaded, and tensors that need
  /// work are computed when they are asked for.
  ///
  /// - Returns: the weights, and the model they fit, which still has its first values.
  /// - Throws: as ``load(_:_:)``.
  public static func described(
    _ entry: ZooEntry, _ file: WeightFile
  ) throws -> (model: LoadedModel, weights: WeightArchive) {
    let (loaded, archive) = try matched(entry, file)
    let entries = loaded.model.stateEntries
    var weights = try archive.selecting(entries.filter { !$0.isFixed }.map { ($0.name, $0.name) })
    for entry in entries where entry.isFixed { try weights.append(entry.name, entry.value) }
    weights.metadata = [:]
    weights.keras = nil
    return (loaded, loaded.describing(weights))
  }

  /// The model and dialect that a file's weights fit, with first values, and the weights under our names.
  private static func matched(
    _ entry: ZooEntry, _ file: WeightFile
  ) throws -> (LoadedModel, WeightArchive) {
    let card = try entry.card()
    if let metadata = file.archive.portable, let dialectName = metadata.dialect {
      return try matchedDescribed(entry, card, file, metadata, dialectName)
    }
    var closest: (report: LoadReport, dialect: Dialect)?
    for dialect in entry.dialects {
      let template = dialect.make(card.classes)
      let archive = try dialect.imported(file.archive, into: template)
      let model = archive.classCount(template).map(dialect.make) ?? template
      let report = model.report(archive)
      if report.isComplete && report.unexpected.isEmpty {
        var loaded = LoadedModel(
          name: entry.name, dialect: dialect, model: model, preprocessing: dialect.preprocessing,
          labels: try dialect.labels.names(count: model), inputShape: card.input,
          smallestSide: entry.smallestSide)
        loaded.report = report
        return (loaded, archive)
      }
      if closest == nil || report.matched.count > closest!.report.matched.count {
        closest = (report, dialect)
      }
    }
    if let other = identify(file.archive), other.entry.name != entry.name {
      throw WeightsError(
        .mismatched, "the file holds weights of \(other.entry.name), but \(entry.name) was asked for",
        file: file.path)
    }
    try closest!.report.requireComplete(file: file.path)
    preconditionFailure("a report that fits was found before")
  }

  private static func matchedDescribed(
    _ entry: ZooEntry, _ card: Card, _ file: WeightFile, _ metadata: PortableMetadata, _ dialectName: String
  ) throws -> (LoadedModel, WeightArchive) {
    if let name = metadata.model, name != entry.name {
      throw WeightsError(
        .mismatched, "the file holds weights of \(name), but \(entry.name) was asked for", file: file.path)
    }
    guard let dialect = entry.dialect(named: dialectName) else {
      throw WeightsError(
        .mismatched,
        "the dialect \(dialectName) is not one of \(entry.name)'s: \(entry.dialects.map(\.name).joined(separator: ", "))",
        file: file.path)
    }
    let classes = metadata.numClasses ?? card.classes
    guard classes > 0, classes < 1 << 24 else {
      throw WeightsError(.malformed, "\(classes) classes are promised", file: file.path)
    }
    let model = try metadata.build(dialect, classes: classes, card: card, file: file.path)
    let archive = try dialect.imported(file.archive, into: model)
    let report = model.report(archive)
    try report.requireComplete(file: file.path)
    let labels = try metadata.labels ?? dialect.labels.names(count: model)
    guard labels.count == classes else {
      throw WeightsError(.malformed, "\(labels.count) labels for \(classes) classes", file: file.path)
    }
    var result = LoadedModel(
      name: entry.name, dialect: dialect, model: model,
      preprocessing: try metadata.preprocessing.map { try Preprocessing($0, file: file.path) }
        ?? dialect.preprocessing,
      labels: labels, inputShape: card.input, smallestSide: model is TransferModel ? nil : entry.smallestSide)
    result.report = report
    result.source = metadata.source
    result.licence = metadata.licence
    result.metrics = metadata.metrics
    result.stages = metadata.stages
    return (result, archive)
  }
}

/// The zoo has no weights of its own for a model.
public struct NoWeights: Error, CustomStringConvertible, Equatable {
  public let model: String
  public var description: String {
    "there are no weights of \(model) here: run 'aviary pull \(model)', or name a file with --weights"
  }
}
