import AviaryTensors

/// How a network is run.
public enum Execution: Sendable, Hashable {
  /// Compiled for the shapes of the inputs when they first come.
  ///
  /// - Parameters:
  ///   - algorithms: which convolutions may be faster than exact; ``AlgorithmChoice/once`` where one call is all that comes.
  ///   - precision: float32, or bfloat16 for the operands of convolutions and linear maps.
  case compiled(algorithms: AlgorithmChoice = .measured, precision: DType = .float32)
  /// Operation by operation, as the network is written; `isExact`: with direct algorithms only, as ``withExactArithmetic(_:)`` has it.
  case eager(isExact: Bool = false)

  /// Compiled, with direct algorithms only: no Winograd transforms, whose rounding differs.
  public static let exact = Execution.compiled(algorithms: .direct)
}
