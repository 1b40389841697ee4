import AviaryLayers
import AviaryTensors

/// A named stretch of a network, as its paper divides it: `block1`, `layer3`.
///
/// Stages are where networks are cut for transfer learning and what is frozen. The layers keep the names they have in the whole model,
/// so a cut model's weights fit its checkpoint.
public struct Stage {
  /// What it is called where networks are cut or frozen.
  public let name: String
  /// In the order they run, under the names of their tensors in the whole model; "" for layers without any.
  public let layers: [(name: String, layer: any Layer)]

  /// A stage of these layers; the names are those in the whole model.
  public init(_ name: String, _ layers: [(name: String, layer: any Layer)]) {
    self.name = name
    self.layers = layers
  }

  /// The layers of a sequence that is a property called `property`, from one place to another.
  init(_ name: String, _ property: String, _ sequence: Sequential, _ range: Range<Int>) {
    self.init(name, range.map { ("\(property).\(sequence.names[$0])", sequence.layers[$0]) })
  }

  /// The layers one after another.
  public func callAsFunction(_ input: Tensor) -> Tensor { callInSequence(layers.map(\.layer), on: input) }

  /// The names of what is in the layers; one without a name gives those of its own parameters.
  var parameterNames: [String] {
    layers.flatMap { $0.name.isEmpty ? $0.layer.stateEntries.map(\.name) : [$0.name] }
  }
}

/// A network that is a sequence of stages, from `input` to `logits`. Running them one after another is its forward pass.
public protocol StagedModel: Layer, Network {
  /// From the input to the outputs, in the order they run.
  var stages: [Stage] { get }
  /// What takes the mean over all places of what a stage returns: by default N×C×spatial to N×C.
  var spatialMean: any Layer { get }
}

/// The mean over all places of N×places×C, as transformers lay out what their stages return: N×T×C or N×H×W×C to N×C.
final class TokenMean: Layer {
  func callAsFunction(_ input: Tensor) -> Tensor { input.mean(Array(1..<(input.rank - 1))) }
}

extension StagedModel {
  /// The mean over all axes behind the second.
  public var spatialMean: any Layer { GlobalAvgPool() }

  /// The stages one after another.
  public func callAsFunction(_ input: Tensor) -> Tensor { stages.reduce(input) { $1($0) } }

  /// `input` N×C×H×W to `logits` N×classes.
  public func callAsFunction(_ inputs: NamedTensors) -> NamedTensors { ["logits": self(inputs["input"])] }

  /// `input` N×C×H×W to `logits` N×classes. Which heights and widths there can be, the catalogue says.
  public var signature: Signature {
    let convolution = firstConvolution?.layer
    let channels = convolution.map { TensorPort.Axis.fixed($0.weight.shape[1] * $0.groups) } ?? "C"
    let sides: [TensorPort.Axis] =
      (self as? any ResizableModel).map { [.fixed($0.side), .fixed($0.side)] } ?? ["H", "W"]
    let classes = stateEntries.last(where: \.isTrained)?.shape.first.map { TensorPort.Axis.fixed($0) } ?? "C"
    return Signature(
      inputs: [TensorPort("input", ["N", channels] + sides)], outputs: [TensorPort("logits", ["N", classes])])
  }

  /// Freezes every stage from `first` through `last`, both named.
  ///
  /// - Throws: ``StageError`` when there is no such stage.
  public func freeze(stages first: String, through last: String) throws(StageError) {
    for stage in try stages(first, through: last) { freeze(stage.parameterNames) }
  }

  /// The reverse of ``freeze(stages:through:)``.
  public func unfreeze(stages range: ClosedRange<String>) throws(StageError) {
    for stage in try stages(range.lowerBound, through: range.upperBound) {
      unfreeze(stage.parameterNames)
    }
  }

  /// Freezes what a text names: a range of stages (`block1...block3`), or stages and patterns of parameter names separated by commas.
  ///
  /// - Throws: ``StageError`` for a name that matches nothing.
  public func freeze(parsing text: String) throws(StageError) {
    for patterns in try patterns(parsing: text) { freeze(patterns) }
  }

  /// The reverse of ``freeze(parsing:)``.
  public func unfreeze(parsing text: String) throws(StageError) {
    for patterns in try patterns(parsing: text) { unfreeze(patterns) }
  }

  /// What each part of a text names, as patterns of parameter names.
  private func patterns(parsing text: String) throws(StageError) -> [[String]] {
    var result: [[String]] = []
    for item in text.split(separator: ",").map(String.init) {
      if let dots = item.firstRange(of: "...") {
        let range = try stages(String(item[..<dots.lowerBound]), through: String(item[dots.upperBound...]))
        result += range.map(\.parameterNames)
      } else if let stage = stages.first(where: { $0.name == item }) {
        result.append(stage.parameterNames)
      } else if covers(item) {
        result.append([item])
      } else {
        throw StageError(given: item, known: stages.map(\.name))
      }
    }
    return result
  }

  /// The stages from `first` through `last`.
  public func stages(_ first: String, through last: String) throws(StageError) -> ArraySlice<Stage> {
    let (start, end) = (try stageIndex(first), try stageIndex(last))
    guard start <= end else { throw StageError(given: "\(first)...\(last)", known: stages.map(\.name)) }
    return stages[start...end]
  }

  func stageIndex(_ name: String) throws(StageError) -> Int {
    guard let index = stages.firstIndex(where: { $0.name == name }) else {
      throw StageError(given: name, known: stages.map(\.name))
    }
    return index
  }
}

/// A stage that a model does not have was asked for.
public struct StageError: Error, CustomStringConvertible, Equatable {
  /// The stage, range or pattern that was asked for.
  public let given: String
  /// The names of the stages that there are.
  public let known: [String]
  public var description: String {
    "there is no stage \(given); the stages are \(known.joined(separator: ", "))"
  }
}
