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
  ) throws -> LoadedClassifier {
    try entry.require(.classification)
    let card = try entry.card()
    let dialect = entry.dialects[0]
    try adaptation.checkClasses(entry.name)
    let model = dialect.make(adaptation.classes ?? card.classes)
    var result = LoadedClassifier(
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
  /// ``LoadedClassifier/changes``, and its files need no such options.
  /// - Parameter allowing: what is told there too, instead of refused.
  /// - Throws: ``UnknownModel``, ``NoWeights``, ``AdaptationError``, or `WeightsError` with everything that does not fit, or with what is wrong
  ///   with the values.
  public static func load(
    _ name: String, weights path: String? = nil, classes: Int? = nil, channels: Int? = nil, size: Int? = nil,
    allowing: Allowance = []
  ) throws -> LoadedClassifier {
    try load(
      name, weights: path, Adaptation(classes: classes, channels: channels, side: size), allowing: allowing)
  }

  /// As ``load(_:weights:classes:channels:size:allowing:)``, also for files that lack what a new head will replace.
  public static func load(
    _ name: String, weights path: String?, _ adaptation: Adaptation, allowing: Allowance = []
  ) throws -> LoadedClassifier {
    // A network for something else need not have weights to say so.
    try Catalogue.selection(name).entry.require(.classification)
    let source = try WeightSource(name, path)
    let loaded = try load(source.entry, try WeightFile.open(source.path), adaptation, allowing: allowing)
    return source.published.map { loaded.published(as: $0.weights, $0.file) } ?? loaded
  }

  /// As ``load(_:weights:_:allowing:)`` for weights that were read already.
  public static func load(
    _ entry: ZooEntry, _ file: WeightFile, _ adaptation: Adaptation = .init(), allowing: Allowance = []
  ) throws -> LoadedClassifier {
    try entry.require(.classification)
    try adaptation.checkClasses(entry.name)
    // A flipped bit in the data may show in nothing but the digest.
    try file.requireIntact()
    var (loaded, archive) = try ClassifierMatching(entry, file, adaptation, allowing).match()
    let defects = loaded.model.assign(archive, loaded.report!)
    if let told = try allowing.told(defects, file: file.path) { loaded.changes.append(told) }
    try file.requireUnchanged()
    let changes = loaded.changes
    try loaded.adapt(adaptation)
    // What a file says of its stages is true of what it was written for.
    if loaded.changes != changes { loaded.stages = nil }
    return loaded
  }
}

/// The file of weights that a name stands for: the one given, else what comes with the zoo or was pulled.
struct WeightSource {
  /// The model, with the only dialect that a chosen set of weights is of.
  let entry: ZooEntry
  /// Where the file is.
  let path: String
  /// The set of weights, where they were pulled.
  let published: (weights: PublishedWeights, file: WeightCache.Entry)?

  /// Throws ``UnknownModel``, ``UnknownWeights``, ``NoWeights``.
  init(_ name: String, _ given: String?) throws {
    let (entry, chosen) = try Catalogue.selection(name)
    if let path = given ?? (chosen == nil ? try? Resources.url(entry.name, "safetensors").path : nil) {
      (self.entry, self.path, published) = (entry, path, nil)
      return
    }
    guard let (weights, file) = try Zoo.pulled(entry, chosen),
      let dialect = entry.dialect(named: weights.card.dialect)
    else { throw NoWeights(model: name) }
    (self.entry, path, published) = (entry.only(dialect), file.path, (weights, file))
  }
}

/// The zoo has no weights of its own for a model.
public struct NoWeights: Error, CustomStringConvertible, Equatable {
  /// The name that was asked for.
  public let model: String
  public var description: String {
    "there are no weights of \(model) here: run 'aviary pull \(model)', or name a file with --weights"
  }
}
