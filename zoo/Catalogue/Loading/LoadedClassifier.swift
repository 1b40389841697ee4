import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights

/// A classifier with its weights, and everything that is bound to those: what they expect of a picture, and what the outputs mean. A
/// ``LoadedNetwork`` has the same for networks of all tasks, named by a portable file's words.
public struct LoadedClassifier {
  /// The catalogue's name: `resnet50`.
  public let name: String
  /// The form of the weights.
  public let dialect: Dialect
  /// The network itself; it is shared, not copied, with this value.
  public let model: any StagedModel
  /// How a picture becomes the input that these weights expect.
  public var preprocessing: Preprocessing
  /// One name per output.
  public var labels: [String]
  /// C×H×W.
  public var inputShape: Shape
  /// The smallest height and width the network takes; nil when it takes ``inputShape``'s alone.
  var smallestSide: Int?
  /// What the weights' file held and lacked; nil for first values.
  public var report: LoadReport?
  /// How the network was adapted to another number of classes or another input, what of the file was left out, and what was wrong with it and
  /// allowed: a sentence for each.
  public internal(set) var changes: [String] = []
  /// Where the weights came from, for files made of them.
  public var source: PortableMetadata.Source?
  /// The terms that the weights are under, as their file or their card says; nil where neither does.
  public var licence: String?
  /// Published or measured numbers, such as `top1` as a fraction of 1.
  public var metrics: [String: Double]?
  /// What the file of the weights says its stages return; nil for weights that may have changed since.
  var stages: [StageStatistics]?

  /// Writes the weights and everything bound to them as a portable file, with what its stages return for a fixed input.
  ///
  /// - Throws: `WeightsError` when the file cannot be written; nothing is left of it then.
  public func save(to path: String, floats: DType? = nil) throws {
    var archive = try archive()
    // What is rounded gives other numbers.
    if floats ?? .float32 == .float32 { archive.portable?.stages = stageStatistics().storable }
    try WeightFile.write(archive, to: path, as: .portable, floats: floats)
  }

  /// The weights with our names and the metadata of a portable file.
  public func archive() throws -> WeightArchive {
    var archive = try WeightArchive(model.stateEntries.map { ($0.name, value(of: $0)) })
    archive.portable = describing()
    return archive
  }

  /// The value that files hold: statistics of pixels that other frameworks keep in the network belong to the preprocessing here.
  func value(of entry: StateEntry) -> Tensor {
    preprocessing.statistic(named: entry.name, shape: entry.shape) ?? entry.value
  }

  /// What a portable file of this model says.
  func describing() -> PortableMetadata {
    var metadata = PortableMetadata(model: name, dialect: dialect.name)
    metadata.numClasses = labels.count
    metadata.labels = labels
    metadata.outputs = ["logits"]
    if preprocessing.channels.count == inputShape[0] {
      metadata.preprocessing = preprocessing.portable(height: inputShape[1], width: inputShape[2])
    }
    metadata.source = source
    metadata.licence = licence
    metadata.metrics = metrics
    var configuration: [String: JSONValue] = [:]
    if let transfer = model as? TransferModel {
      configuration["branch"] = .string(transfer.branch)
      configuration["head"] = .array(transfer.widths.map { .integer($0) })
      configuration["junction"] = .string(transfer.junction.rawValue)
    }
    if inputShape != (try? Card.named(name)).map({ dialect.inputShape($0) }) {
      configuration["input"] = .array(inputShape.map { .integer($0) })
    }
    metadata.configuration = configuration.isEmpty ? nil : configuration
    return metadata
  }

  /// The network cut behind `branch` (its last stage before the classifier when nil) with a new head whose linear layers have
  /// the given widths; the last is the number of classes.
  ///
  /// - Parameters:
  ///   - junction: how the head reads what the kept stages return; by default the mean over all places.
  ///   - labels: as many as classes; `class 0` and so on when nil.
  /// - Throws: ``StageError`` for a branch that the network does not have, ``AdaptationError`` for widths or labels that make no head.
  public func withHead(
    _ widths: [Int], branch: String? = nil, junction: TransferModel.Junction = .average,
    labels: [String]? = nil
  ) throws -> LoadedClassifier {
    guard let classes = widths.last, widths.allSatisfy({ 1..<(1 << 24) ~= $0 }) else {
      throw AdaptationError(
        model: name, given: "a head of \(widths)",
        expected: "widths from 1 to \(1 << 24 - 1), of which the last is the number of classes")
    }
    guard labels.map({ $0.count == classes }) ?? true else {
      throw AdaptationError(
        model: name, given: "\(labels!.count) labels", expected: "its head has \(classes) classes")
    }
    var result = LoadedClassifier(
      name: name, dialect: dialect,
      model: try TransferModel(
        model, branch: branch, head: widths, junction: junction, inputShape: inputShape),
      preprocessing: preprocessing, labels: labels ?? (0..<classes).map { "class \($0)" },
      inputShape: inputShape, smallestSide: junction == .average ? smallestSide : nil)
    result.changes = changes
    result.source = source
    result.licence = licence
    return result
  }

  /// The weights as a Keras model of the same network holds them, for the writers of Keras' formats.
  ///
  /// - Throws: `WeightsError` when this dialect has no counterpart in Keras, or some weights have none.
  public func kerasArchive() throws -> WeightArchive {
    try dialect.kerasArchive(of: try archive(), for: model, called: name)
  }

  /// Throws ``UnsuitableInput`` unless a batch of this shape and type can be fed to the network.
  public func check(input: TensorSpec, named name: String) throws(UnsuitableInput) {
    let (channels, height, width) = (inputShape[0], inputShape[1], inputShape[2])
    let shape = input.shape
    let fits =
      shape.count == 4 && shape[0] > 0 && shape[1] == channels
      && (smallestSide.map { min(shape[2], shape[3]) >= $0 } ?? (shape[2] == height && shape[3] == width))
    guard fits, input.dtype.isFloatingPoint else {
      throw UnsuitableInput(
        name: name, given: input,
        expected: smallestSide.map { "N×\(channels)×H×W with H and W from \($0)" }
          ?? "N×\(channels)×\(height)×\(width)")
    }
  }

  /// The network's outputs, logits N×classes, for a batch N×C×H×W from elsewhere: what does not fit is thrown, where calling the model
  /// itself would end the program.
  ///
  /// - Throws: ``UnsuitableInput``.
  public func outputs(for input: Tensor) throws(UnsuitableInput) -> Tensor {
    try check(input: input.spec, named: "the input")
    return model(input)
  }

  /// The network's input for pictures: N×C×H×W.
  public func input(_ images: [Image]) -> Tensor { preprocessing(images) }

  /// Logits N×classes for pictures, operation by operation as the network is written; a ``Classifier`` is compiled and takes half the time.
  public func logits(_ images: [Image]) -> Tensor { model(input(images)) }
}

/// An array does not fit the network it is for.
public struct UnsuitableInput: Error, CustomStringConvertible, Equatable {
  /// What the array is called in the message.
  public let name: String
  /// Its shape and type.
  public let given: TensorSpec
  /// The shapes that there can be, in words: `N×3×224×224`.
  public let expected: String
  public var description: String {
    "\(name) holds \(given.shape.shapeText) of \(given.dtype), but the network takes \(expected) of float32"
  }
}
