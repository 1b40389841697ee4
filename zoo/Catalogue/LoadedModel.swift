import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights

/// A network with its weights, and everything that is bound to those: what they expect of a picture, and what the outputs mean.
public struct LoadedModel {
  public let name: String
  public let dialect: Dialect
  public let model: any StagedModel
  public var preprocessing: Preprocessing
  /// One name per output.
  public var labels: [String]
  /// C×H×W.
  public var inputShape: Shape
  /// Where the weights came from, for files made of them.
  var source: PortableMetadata.Source?
  var licence: String?

  /// Writes the weights and everything bound to them as a portable file.
  ///
  /// - Throws: `WeightsError` when the file cannot be written; nothing is left of it then.
  public func save(to path: String, floats: DType? = nil) throws {
    try WeightFile.write(try archive(), to: path, as: .portable, floats: floats)
  }

  /// The weights with our names and the metadata of a portable file.
  public func archive() throws -> WeightArchive {
    var archive = try WeightArchive(model.stateEntries.map { ($0.name, $0.value) })
    var metadata = PortableMetadata(model: name, dialect: dialect.name)
    metadata.numClasses = labels.count
    metadata.labels = labels
    metadata.outputs = ["logits"]
    metadata.preprocessing = preprocessing.portable(height: inputShape[1], width: inputShape[2])
    metadata.source = source
    metadata.licence = licence
    if let transfer = model as? TransferModel {
      metadata.configuration = [
        "branch": .string(transfer.branch),
        "head": .array(transfer.widths.map { .integer($0) }),
      ]
    }
    archive.portable = metadata
    return archive
  }

  /// The network cut behind `branch` (its last stage before the classifier when nil) with a new head whose linear layers have
  /// the given widths; the last is the number of classes.
  public func withHead(
    _ widths: [Int], branch: String? = nil, labels: [String]? = nil
  ) throws(StageError) -> LoadedModel {
    var result = LoadedModel(
      name: name, dialect: dialect,
      model: try TransferModel(model, branch: branch, head: widths, inputShape: inputShape),
      preprocessing: preprocessing, labels: labels ?? (0..<widths.last!).map { "class \($0)" },
      inputShape: inputShape)
    result.source = source
    result.licence = licence
    return result
  }

  /// The network's input for pictures: N×C×H×W.
  public func input(_ images: [Image]) -> Tensor { preprocessing(images) }

  /// Logits N×classes for pictures.
  public func logits(_ images: [Image]) -> Tensor { model(input(images)) }
}

extension Zoo {
  /// A model by name with the weights of a file in any known format.
  ///
  /// The dialect (strides, padding, constants, preprocessing) is the one whose names and shapes the file has; a portable file says it itself.
  /// - Throws: ``UnknownModel``, or `WeightsError` with everything that does not fit.
  public static func load(_ name: String, weights path: String) throws -> LoadedModel {
    try load(try Catalogue.entry(name), try WeightFile.open(path))
  }

  /// As ``load(_:weights:)`` for weights that were read already.
  public static func load(_ entry: ZooEntry, _ file: WeightFile) throws -> LoadedModel {
    let card = try entry.card()
    if let metadata = file.archive.portable, let dialectName = metadata.dialect {
      return try loadPortable(entry, card, file, metadata, dialectName)
    }
    var closest: (report: LoadReport, dialect: Dialect)?
    for dialect in entry.dialects {
      let archive = try dialect.imported(file.archive)
      let model = dialect.make(archive.classCount(dialect.make(card.classes)) ?? card.classes)
      let report = LoadReport(expected: model.expectedShapes, archive: archive)
      if report.isComplete && report.unexpected.isEmpty {
        model.assign(archive)
        return LoadedModel(
          name: entry.name, dialect: dialect, model: model, preprocessing: dialect.preprocessing,
          labels: try dialect.labels.names(count: model), inputShape: card.input)
      }
      if closest == nil || report.matched.count > closest!.report.matched.count { closest = (report, dialect) }
    }
    try closest!.report.requireComplete(file: file.path)
    preconditionFailure("a report that fits was found before")
  }

  private static func loadPortable(
    _ entry: ZooEntry, _ card: Card, _ file: WeightFile, _ metadata: PortableMetadata, _ dialectName: String
  ) throws -> LoadedModel {
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
    try LoadReport(expected: model.expectedShapes, archive: file.archive).requireComplete(file: file.path)
    model.assign(file.archive)
    let labels = try metadata.labels ?? dialect.labels.names(count: model)
    guard labels.count == classes else {
      throw WeightsError(.malformed, "\(labels.count) labels for \(classes) classes", file: file.path)
    }
    var result = LoadedModel(
      name: entry.name, dialect: dialect, model: model,
      preprocessing: try metadata.preprocessing.map { try Preprocessing($0, file: file.path) } ?? dialect.preprocessing,
      labels: labels, inputShape: card.input)
    result.source = metadata.source
    result.licence = metadata.licence
    return result
  }
}

/// What users call first.
public enum Zoo {
  /// A model by name with first values, in its first dialect.
  public static func model(_ name: String, classes: Int? = nil) throws -> any StagedModel {
    try Catalogue.entry(name).makeModel(classes: classes)
  }
}
