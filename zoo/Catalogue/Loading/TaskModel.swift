import AviaryLayers
import AviaryTensors
import AviaryWeights

/// What users hold: a network with its weights that answers in the terms of its task, from any thread.
///
/// Calls are synchronous. One value runs one call at a time; ``copy()`` gives another one for calls at the same time, with the same weights
/// and memory of its own.
public protocol TaskModel: Sendable {
  /// The networks that it can be made of.
  static var task: ZooTask { get }
  /// Takes a loaded network over. Throws when what is bound to the weights makes no sense.
  init(_ loaded: sending LoadedNetwork, execution: Execution) throws
  /// Another one for calls at the same time as this one's. The weights are shared.
  func copy() -> Self
}

extension Zoo {
  /// A model by name as its task: `try Zoo.load(Segmenter.self, "unet", weights: "unet.pth")`.
  ///
  /// Weights and settings are found and taken as ``network(_:weights:settings:allowing:)`` does.
  /// - Parameter execution: how calls are run: compiled at the first one for each size, unless said otherwise.
  /// - Throws: ``WrongTask`` for a model that does something else, and what ``network(_:weights:settings:allowing:)`` throws.
  public static func load<Model: TaskModel>(
    _ type: Model.Type, _ name: String, weights path: String? = nil, settings: Settings = [:],
    execution: Execution = .compiled(), allowing: Allowance = []
  ) throws -> Model {
    try Catalogue.selection(name).entry.require(Model.task)
    return try Model(
      try network(name, weights: path, settings: settings, allowing: allowing), execution: execution)
  }
}
