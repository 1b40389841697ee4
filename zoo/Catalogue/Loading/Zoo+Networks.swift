import AviaryLayers
import AviaryTensors
import AviaryWeights

// Networks of every task on the level below tasks.

extension Zoo {
  /// A network of any task by name with the weights of a file in any known format, or, when no file is given, with those that come with
  /// the zoo or were pulled. Never uses the network.
  ///
  /// What it is made from: the catalogue's settings, in their place those of a `config.json` beside the weights where such files are the
  /// network's or of a portable file, those that the shapes of the tensors show, and first of all those given. A classifier's
  /// settings are `classes`, `channels` and `size`, and adapt it as ``load(_:weights:classes:channels:size:allowing:)`` does.
  /// - Throws: ``UnknownModel``, ``NoWeights``, ``ConfigurationError``, ``AdaptationError``, or `WeightsError` with everything that does not
  ///   fit or with what is wrong with the values.
  public static func network(
    _ name: String, weights path: String? = nil, settings: Settings = [:], allowing: Allowance = []
  ) throws -> LoadedNetwork {
    let source = try WeightSource(name, path)
    let file = try WeightFile.open(source.path)
    guard let published = source.published else {
      return try network(source.entry, file, settings: settings, allowing: allowing)
    }
    guard source.entry.task == .classification else {
      let besides = "\(published.file.companionFolder)/\(published.file.file)"
      return try network(
        source.entry, file, settings: settings, allowing: allowing, surroundings: besides
      ).published(as: published.weights, published.file)
    }
    return try load(source.entry, file, try Adaptation(settings), allowing: allowing)
      .published(as: published.weights, published.file).asNetwork
  }

  /// As ``network(_:weights:settings:allowing:)`` for weights that were read already.
  public static func network(
    _ entry: ZooEntry, _ file: WeightFile, settings: Settings = [:], allowing: Allowance = []
  ) throws -> LoadedNetwork {
    try network(entry, file, settings: settings, allowing: allowing, surroundings: file.path)
  }

  private static func network(
    _ entry: ZooEntry, _ file: WeightFile, settings: Settings, allowing: Allowance, surroundings: String
  ) throws -> LoadedNetwork {
    guard entry.task != .classification else {
      return try load(entry, file, try Adaptation(settings), allowing: allowing).asNetwork
    }
    try file.requireIntact()
    var (loaded, weights) = try NetworkMatching(
      entry: entry, file: file, given: settings, allowing: allowing, surroundings: surroundings
    ).match()
    let defects = loaded.network.assign(weights, loaded.report!)
    if let told = try allowing.told(defects, file: file.path) { loaded.changes.append(told) }
    try file.requireUnchanged()
    return loaded
  }

  /// A network of any task with first values, in its first dialect. Throws ``ConfigurationError`` for settings that make none.
  public static func untrainedNetwork(_ entry: ZooEntry, settings: Settings = [:]) throws -> LoadedNetwork {
    guard case .network(let blueprint, _) = entry.dialects[0].form else {
      return try untrained(entry, try Adaptation(settings)).asNetwork
    }
    let all = try blueprint.settings(with: settings)
    return try entry.loaded(entry.dialects[0], try blueprint.make(all), all)
  }

  /// Weights of a file for converters: nothing is loaded, and tensors that need work are computed when they are asked for.
  public struct Described {
    /// The weights with our names and the metadata of a portable file.
    public let weights: WeightArchive
    /// What the file holds and the model does not: PyTorch's counters of batches, say.
    public let leftOut: [String]
    /// What follows from the architecture, and is not in the file.
    public let madeAnew: [String]
    /// What no file said of the task and the catalogue knows, which a portable file then says: a sentence for each.
    public let assumptions: [String]
    private let dialect: Dialect
    private let model: any Module
    private let name: String

    fileprivate init(_ loaded: LoadedNetwork, _ archive: WeightArchive) throws {
      let entries = loaded.network.stateEntries
      var weights = try archive.selecting(entries.filter { !$0.isFixed }.map { ($0.name, $0.name) })
      for entry in entries where entry.isFixed {
        try weights.append(entry.name, loaded.classifier?.value(of: entry) ?? entry.value)
      }
      weights.metadata = [:]
      weights.keras = nil
      weights.portable = loaded.metadata
      self.weights = weights
      leftOut = archive.names.filter { weights.spec($0) == nil }
      madeAnew = weights.names.filter { archive.spec($0) == nil }
      assumptions = loaded.assumptions
      (dialect, model, name) = (loaded.dialect, loaded.network, loaded.name)
    }

    /// The weights as a Keras model of the same network holds them, for the writers of Keras' formats.
    ///
    /// - Throws: `WeightsError` when this dialect has no counterpart in Keras, or some weights have none.
    public func kerasArchive() throws -> WeightArchive {
      try dialect.kerasArchive(of: weights, for: model, called: name)
    }

    /// The weights as a darknet file of the same network holds them, for the writer of that format.
    ///
    /// - Throws: `WeightsError` for a network that no `.cfg` describes.
    public func darknetArchive() throws -> WeightArchive {
      guard let network = model as? any StreamedNetwork else {
        throw WeightsError(.mismatched, "\(name) is not described by a darknet .cfg")
      }
      return try network.stream(of: weights)
    }
  }

  /// The weights of a file as the model has them; throws as ``network(_:_:settings:allowing:)``, but does not look at values.
  public static func described(
    _ entry: ZooEntry, _ file: WeightFile, allowing: Allowance = []
  ) throws -> Described {
    guard entry.task == .classification else {
      let (loaded, weights) = try NetworkMatching(
        entry: entry, file: file, given: [:], allowing: allowing, surroundings: file.path
      ).match()
      return try Described(loaded, weights)
    }
    let (loaded, weights) = try ClassifierMatching(entry, file, .init(), allowing).match()
    return try Described(loaded.asNetwork, weights)
  }
}

extension Dialect {
  /// Throws `WeightsError` when this dialect has no counterpart in Keras, or some weights have none.
  func kerasArchive(
    of weights: WeightArchive, for model: any Module, called name: String
  ) throws -> WeightArchive {
    guard let map = try loadNameMap(for: model) else {
      throw WeightsError(.mismatched, "\(name) in its dialect \(self.name) has no counterpart in Keras")
    }
    let translation = try map.exported(weights)
    guard translation.unmatched.isEmpty else {
      throw WeightsError(
        .mismatched,
        "these weights have no counterpart in Keras: \(translation.unmatched.joined(separator: ", "))")
    }
    return translation.archive
  }
}

extension ZooEntry {
  /// All that can be set, with the values that the catalogue's network has.
  public func settings() throws -> Settings {
    if let blueprint = dialects[0].blueprint { return blueprint.settings }
    let card = try card()
    let input = dialects[0].inputShape(card)
    return [
      "classes": .integer(card.classes), "channels": .integer(input[0]), "size": .integer(input[1]),
    ]
  }
}

extension Adaptation {
  /// What the settings of a classifier ask for. Throws ``ConfigurationError`` for others, or values that no network can have.
  init(_ settings: Settings) throws(ConfigurationError) {
    self.init()
    var entries = ConfigurationEntries(settings)
    classes = try entries.optionalInteger("classes", missing: nil)
    channels = try entries.optionalInteger("channels", missing: nil)
    side = try entries.optionalInteger("size", missing: nil)
    try entries.finish()
  }
}

extension LoadedClassifier {
  /// The same on the level where all tasks are alike; the network is shared, not copied.
  public var asNetwork: LoadedNetwork {
    var metadata = describing()
    metadata.stages = stages
    let settings: Settings = [
      "classes": .integer(labels.count), "channels": .integer(inputShape[0]), "size": .integer(inputShape[1]),
    ]
    return LoadedNetwork(
      name: name, task: .classification, dialect: dialect, network: model, settings: settings,
      metadata: metadata, report: report, changes: changes, exampleShape: inputShape, classifier: self)
  }
}
