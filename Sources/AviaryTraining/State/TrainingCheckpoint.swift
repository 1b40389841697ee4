import AviaryLayers
import AviaryTensors
import AviaryWeights
import Foundation

/// Everything that a training run needs to go on as if it had never stopped: weights, what optimisers and averages keep, and where the run
/// stands. As a file it is a portable one whose tensors have the names of their parts in front, `model/`, `optimizer/`, `average/`.
public struct TrainingCheckpoint {
  /// Where the run stands.
  public let state: TrainingState
  /// What the run was started with, for whoever goes on with it to compare.
  public let settings: [String: JSONValue]
  /// The catalogue's name of the network, where it has one.
  public let model: String?
  private let weights: [(name: String, tensor: Tensor)]
  private let states: [String: SavedState]

  /// What a learner has now.
  public init<Student: Learner>(
    of learner: Student, _ state: TrainingState, settings: [String: JSONValue] = [:], model: String? = nil
  ) {
    self.state = state
    self.settings = settings
    self.model = model
    weights = Self.entries(of: learner).map { ($0.name, $0.entry.value) }
    states = learner.savedStates()
  }

  /// Gives a learner that was made as the other one was what that had.
  ///
  /// - Throws: ``SavedStateError`` when something is missing, does not belong there, or has another shape.
  public func restore<Student: Learner>(_ learner: Student) throws(SavedStateError) {
    let entries = Self.entries(of: learner)
    var found: [String: Tensor] = [:]
    for (name, tensor) in weights { found[name] = tensor }
    for (name, entry) in entries {
      guard let tensor = found.removeValue(forKey: name) else { throw .missing(name) }
      guard tensor.shape == entry.shape else {
        throw .shape(name, given: tensor.shape, expected: entry.shape)
      }
    }
    if let name = found.keys.min() { throw .unexpected(name) }
    try learner.restore(states)
    let tensors = Dictionary(weights, uniquingKeysWith: { first, _ in first })
    for (name, entry) in entries { entry.value = tensors[name]! }
  }

  private static func entries<Student: Learner>(of learner: Student) -> [(name: String, entry: StateEntry)] {
    learner.modules.enumerated().flatMap { place, module in
      module.stateEntries.filter { !$0.isFixed }.map {
        ("\(learner.modules.count == 1 ? "model" : "model\(place)")/\($0.name)", $0)
      }
    }
  }
}

// MARK: Files

extension TrainingCheckpoint {
  /// What the file says beside its tensors.
  private struct Text: Codable {
    var state: TrainingState
    var settings: [String: JSONValue]
    var numbers: [String: [String: Double]]
  }

  /// What the text is called among the strings of the file.
  private static let key = "training"

  /// Writes the checkpoint, complete or not at all. Throws `WeightsError` when it cannot be written.
  public func write(to path: String) throws {
    let tensors = states.sorted { $0.key < $1.key }.flatMap { part, state in
      state.tensors.map { ("\(part)/\($0.name)", $0.tensor) }
    }
    var archive = try WeightArchive(weights + tensors)
    archive.portable = PortableMetadata(model: nil)
    let text = Text(state: state, settings: settings, numbers: states.mapValues(\.numbers))
    archive.metadata[Self.key] = String(decoding: try JSONEncoder().encode(text), as: UTF8.self)
    archive.metadata["model"] = model
    try WeightFile.write(archive, to: path, as: .portable)
  }

  /// Reads a checkpoint. Throws `WeightsError` when the file is none, or damaged.
  public init(contentsOf path: String) throws {
    let file = try WeightFile.open(path)
    try file.requireIntact()
    guard let checkpoint = try TrainingCheckpoint(file.archive, path) else {
      throw WeightsError(.mismatched, "the file is no checkpoint of a training run", file: path)
    }
    self = checkpoint
  }

  /// The checkpoint in an archive; nil when it is none. Throws `WeightsError` when it contradicts itself.
  public init?(_ archive: WeightArchive, _ path: String) throws {
    guard let json = archive.metadata[Self.key] else { return nil }
    guard let text = try? JSONDecoder().decode(Text.self, from: Data(json.utf8)) else {
      throw WeightsError(.malformed, "what the checkpoint says of its run cannot be read", file: path)
    }
    (state, settings, model) = (text.state, text.settings, archive.metadata["model"])
    var weights: [(name: String, tensor: Tensor)] = []
    var states = text.numbers.mapValues { SavedState(numbers: $0) }
    for (name, tensor) in archive.entries {
      let parts = name.split(separator: "/", maxSplits: 1).map(String.init)
      guard parts.count == 2 else {
        throw WeightsError(.malformed, "the tensor \(name.shown) is of no part of a checkpoint", file: path)
      }
      if parts[0].hasPrefix("model") {
        weights.append((name, tensor))
      } else {
        states[parts[0], default: SavedState()].tensors.append((parts[1], tensor))
      }
    }
    (self.weights, self.states) = (weights, states)
  }
}
