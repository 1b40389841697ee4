import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights

/// What a network shall have that its weights were not made for. What is nil stays as the weights have it.
public struct Adaptation: Sendable, Hashable {
  /// Another number of classes gets a new head.
  public var classes: Int?
  /// Channels of the input. With 1, pictures become grey.
  public var channels: Int?
  /// Height and width of the input in pixels.
  public var side: Int?
  /// What has to be in the file.
  public var part: Part

  /// A part of a network. The rest, which a new head will replace, keeps its first values where a file lacks it.
  public enum Part: Sendable, Hashable {
    /// All stages, the classifier included.
    case whole
    /// All stages but the classifier.
    case features
    /// The stages up to the one named.
    case through(String)
  }

  /// All of it stays as the weights have it unless said otherwise.
  public init(classes: Int? = nil, channels: Int? = nil, side: Int? = nil, part: Part = .whole) {
    self.classes = classes
    self.channels = channels
    self.side = side
    self.part = part
  }
}

extension Adaptation {
  /// Throws ``AdaptationError`` for a number of classes that no network can have.
  func checkClasses(_ model: String) throws(AdaptationError) {
    guard let classes, !(1..<(1 << 24) ~= classes) else { return }
    throw AdaptationError(
      model: model, given: "\(classes) classes", expected: "there can be 1 to \(1 << 24 - 1)")
  }
}

/// A network cannot be adapted as asked.
public struct AdaptationError: Error, CustomStringConvertible, Equatable {
  /// The catalogue's name of the network.
  public let model: String
  /// What was asked for: `input sides of 100`.
  public let given: String
  /// What there can be: `multiples of 16`.
  public let expected: String
  public var description: String { "\(model) cannot have \(given): \(expected)" }
}

/// A network built for one size of input, which can be changed over to another.
public protocol ResizableModel: StagedModel {
  /// Height and width of the input in pixels.
  var side: Int { get }
  /// All sides are multiples of this.
  var sideStep: Int { get }
  /// Changes over to a side that is a multiple of ``sideStep``; what was learned for each place is resampled.
  func resize(to side: Int)
  /// The side that the tensors of an archive were made for, as their shapes show; nil when they do not.
  func side(of archive: WeightArchive) -> Int?
}

extension StagedModel {
  /// The convolution that reads the input, and its name; nil in a network that begins otherwise.
  var firstConvolution: (name: String, layer: Conv2d)? {
    for (name, layer) in stages[0].layers {
      let parts = [(name: "", module: layer as any Module)] + layer.namedModules
      for part in parts {
        guard let convolution = part.module as? Conv2d else { continue }
        return ([name, part.name].filter { !$0.isEmpty }.joined(separator: "."), convolution)
      }
    }
    return nil
  }

  /// Makes a new network take what an archive's tensors take, as their shapes show, and returns its input C×H×W.
  func take(inputOf archive: WeightArchive, from input: Shape) -> Shape {
    var result = input
    if let (name, convolution) = firstConvolution, let shape = archive.spec("\(name).weight")?.shape,
      shape.count == 4, shape[1] > 0, convolution.groups == 1,
      [shape[0]] + shape[2...] == [convolution.weight.shape[0]] + convolution.weight.shape[2...]
    {
      convolution.adapt(inputs: shape[1])
      result[0] = shape[1]
    }
    if let resizable = self as? any ResizableModel, let side = resizable.side(of: archive) {
      resizable.resize(to: side)
      result = [result[0], side, side]
    }
    return result
  }

  /// The last stage to keep under another: its own name, or the one before the classifier when nil. A suffix `_pool` is ignored, since
  /// stages end with their pooling.
  func branchIndex(_ branch: String?) throws(StageError) -> Int {
    var name = branch ?? stages.dropLast().last?.name ?? stages[0].name
    if name.hasSuffix("_pool") { name.removeLast("_pool".count) }
    return try stageIndex(name)
  }

  /// The tensors that need not be in a file, or may have another shape there, when a network is adapted.
  ///
  /// A new head covers what depends on the number of classes (`other` being the same network for another number), and the whole last
  /// stage when the file has nothing of it.
  func replaceable(
    _ adaptation: Adaptation, _ archive: WeightArchive, other: () throws -> any StagedModel
  ) throws -> Set<String> {
    var names: Set<String> = []
    func add(_ stages: ArraySlice<Stage>) {
      let covered = stages.flatMap(\.parameterNames)
      names.formUnion(
        stateEntries.map(\.name).filter { name in covered.contains { name == $0 || name.hasPrefix($0 + ".") }
        })
    }
    switch adaptation.part {
    case .whole: break
    case .features: add(stages[(try branchIndex(nil) + 1)...])
    case .through(let branch): add(stages[(try branchIndex(branch) + 1)...])
    }
    if adaptation.part != .whole { names.formUnion(auxiliaryNames) }
    guard adaptation.classes != nil else { return names }
    let shapes = Dictionary(uniqueKeysWithValues: try other().stateEntries.map { ($0.name, $0.shape) })
    names.formUnion(stateEntries.filter { shapes[$0.name] != $0.shape }.map(\.name))
    let before = names
    add(stages.suffix(1))
    return names.contains { archive.spec($0) != nil && !before.contains($0) } ? before : names
  }

  private var auxiliaryNames: [String] {
    let prefixes = (self as? any AuxiliaryClassifiers)?.auxiliaryClassifiers.map { $0.name + "." } ?? []
    return stateEntries.map(\.name).filter { name in prefixes.contains { name.hasPrefix($0) } }
  }
}

extension LoadedClassifier {
  /// Changes channels and size of the input in place; the model itself is changed, not copied.
  mutating func adapt(_ adaptation: Adaptation) throws(AdaptationError) {
    if let channels = adaptation.channels, channels != inputShape[0] { try adapt(channels: channels) }
    if let side = adaptation.side, [side, side] != Array(inputShape[1...]) { try resize(to: side) }
  }

  private mutating func adapt(channels: Int) throws(AdaptationError) {
    guard 1...4096 ~= channels, let (first, convolution) = model.firstConvolution, convolution.groups == 1
    else {
      throw AdaptationError(
        model: name, given: "\(channels) input channels", expected: "1 to 4096 in a first convolution")
    }
    convolution.adapt(inputs: channels)
    let way = channels == 1 ? "summed" : "repeated and scaled"
    changes.append("\(channels) input channels instead of \(inputShape[0]): \(first).weight is \(way)")
    inputShape[0] = channels
    preprocessing = preprocessing.with(channels: channels)
  }

  private mutating func resize(to side: Int) throws(AdaptationError) {
    let given = "an input of \(side)×\(side)"
    let old = inputShape
    if let resizable = model as? any ResizableModel {
      guard side > 0, side <= 1 << 14, side.isMultiple(of: resizable.sideStep) else {
        throw AdaptationError(
          model: name, given: given, expected: "its sides are multiples of \(resizable.sideStep)")
      }
      resizable.resize(to: side)
      changes.append("input \(side)×\(side) instead of \(old[1])×\(old[2]): positions are resampled")
    } else {
      guard let smallestSide, smallestSide...(1 << 14) ~= side else {
        let sizes = smallestSide.map { "its sides are \($0) or more" } ?? "it takes \(old[1])×\(old[2]) only"
        throw AdaptationError(model: name, given: given, expected: sizes)
      }
      changes.append("input \(side)×\(side) instead of \(old[1])×\(old[2])")
    }
    preprocessing = preprocessing.with(side: side)
    inputShape = [old[0], side, side]
  }

  /// Throws ``AdaptationError`` when the network takes no pictures, for want of one or three channels.
  public func requirePictures() throws(AdaptationError) {
    guard preprocessing.channels.count == inputShape[0] else {
      throw AdaptationError(
        model: name, given: "pictures for its \(inputShape[0]) channels",
        expected: "pictures have 1 or 3, so feed it arrays")
    }
  }
}

extension Preprocessing {
  /// The same for pictures in grey or in colours, each channel with the mean numbers of those there were; as it is for channels that no
  /// picture has.
  func with(channels count: Int) -> Preprocessing {
    guard count != channels.count, [1, 3].contains(count) else { return self }
    var copy = self
    copy.channels = count == 1 ? .grey : .rgb
    copy.mean = mean.averaged(over: count)
    copy.std = std.averaged(over: count)
    return copy
  }

  /// The same for another size, which shows the same part of a picture.
  func with(side: Int) -> Preprocessing {
    switch (resize, crop) {
    case (.shortSide(let short), let crop?):
      sized(resize: .shortSide((2 * short * side + crop) / (2 * crop)), crop: side)
    case (.shortSide, nil): sized(resize: .shortSide(side), crop: nil)
    case (.exact, _): sized(resize: .exact(width: side, height: side), crop: crop.map { _ in side })
    case (.none, _): sized(resize: .none, crop: crop.map { _ in side })
    }
  }
}

extension [Float] {
  /// The mean of all, for each of `count` channels; nothing where there is nothing.
  func averaged(over count: Int) -> [Float] {
    isEmpty ? [] : Array(repeating: reduce(0, +) / Float(self.count), count: count)
  }
}
