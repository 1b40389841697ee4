import AviaryLayers
import AviaryTensors

/// Changes parameters by their gradients. State is kept per parameter and only for those that ever had a gradient: a frozen
/// block costs none.
public protocol Optimizer: AnyObject {
  /// The step size; schedules change it between steps.
  var learningRate: Float { get set }

  /// One step. Parameters without a gradient stay as they are.
  func update(_ model: some Module, _ gradients: Gradients)
}

/// Tensors that an optimiser keeps for each parameter, such as momenta.
struct OptimizerState {
  private var slots: [ObjectIdentifier: [Tensor]] = [:]

  /// Calls `body` with stretches of the parameter's values, its gradient and `count` tensors of state, to be changed in place, value by
  /// value. Several threads work on different stretches.
  mutating func step(
    _ parameter: Parameter, _ gradient: Tensor, slots count: Int,
    _ body: (
      _ values: UnsafeMutableBufferPointer<Float>, _ gradient: UnsafeBufferPointer<Float>,
      _ state: [UnsafeMutableBufferPointer<Float>]
    ) -> Void
  ) {
    let key = ObjectIdentifier(parameter)
    var state = slots.removeValue(forKey: key) ?? (0..<count).map { _ in .zeros(parameter.shape) }
    gradient.withUnsafeValues { gradient in
      parameter.update { values in
        withBuffers(&state, from: 0, []) { state in
          Parallel.forEachRange(values.count, grain: 16_384) { range in
            body(
              .init(rebasing: values[range]), .init(rebasing: gradient[range]),
              state.map { .init(rebasing: $0[range]) })
          }
        }
      }
    }
    slots[key] = state
  }

  private func withBuffers(
    _ tensors: inout [Tensor], from index: Int, _ buffers: [UnsafeMutableBufferPointer<Float>],
    _ body: ([UnsafeMutableBufferPointer<Float>]) -> Void
  ) {
    if index == tensors.count { return body(buffers) }
    var tensor = tensors[index]
    tensors[index] = Tensor(Float(0))
    tensor.withUnsafeMutableValues { buffer in
      withBuffers(&tensors, from: index + 1, buffers + [buffer], body)
    }
    tensors[index] = tensor
  }
}

extension Gradients {
  /// Scales everything down so that the norm over all parameters is at most `limit` (Pascanu et al. 2013).
  public mutating func clip(norm limit: Float) {
    let norm = norm
    if norm > limit { scale(by: limit / norm) }
  }
}
