import AviaryTensors

/// Chooses parameters of a module by their names and shapes: those of a group of an optimiser, those that a penalty counts.
public struct ParameterSelection: Sendable {
  private let condition: @Sendable (_ name: String, _ shape: Shape) -> Bool

  /// The parameters for whose dotted names and shapes `condition` is true.
  public init(where condition: @escaping @Sendable (_ name: String, _ shape: Shape) -> Bool) {
    self.condition = condition
  }

  /// The parameters that one of the patterns covers, which are those of ``Module/freeze(_:)``: `layer1` and all below it, `layer*.bn1`.
  public static func named(_ patterns: String...) -> ParameterSelection { named(patterns) }

  /// As for patterns that are written out; an empty array covers nothing.
  public static func named(_ patterns: [String]) -> ParameterSelection {
    ParameterSelection { name, _ in patterns.contains { name.isCovered(by: $0) } }
  }

  /// Every parameter.
  public static let all = ParameterSelection { _, _ in true }
  /// Of rank 0 or 1: biases, and the scales and shifts of normalizations.
  public static let vectors = ParameterSelection { _, shape in shape.count <= 1 }
  /// Of rank 2 and more: the matrices of linear layers, kernels, embeddings.
  public static let matrices = ParameterSelection { _, shape in shape.count >= 2 }

  /// Whether a parameter of this dotted name and shape is chosen.
  public func contains(_ name: String, _ shape: Shape) -> Bool { condition(name, shape) }
}

extension Module {
  /// The chosen parameters in the order of declaration, each once.
  public func parameters(_ selection: ParameterSelection) -> [Parameter] {
    namedParameters.filter { selection.contains($0.name, $0.parameter.shape) }.map(\.parameter)
  }
}
