import Foundation

/// Sine and cosine, for position and time embeddings.
struct Trigonometry: Operation {
  enum Kind: String, Sendable { case sine, cosine }

  let kind: Kind
  var onnxName: String { kind == .sine ? "Sin" : "Cos" }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] { [TensorSpec(inputs[0].shape)] }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    let result = inputs[0].withUnsafeValues { values in
      Tensor(inputs[0].shape) { result in
        for i in values.indices { result[i] = kind == .sine ? sinf(values[i]) : cosf(values[i]) }
      }
    }
    return [result]
  }

  func gradient(_ context: GradientContext) -> [Tensor?] {
    let input = context.input(0)
    return [context.upstream * (kind == .sine ? input.cosine() : -input.sine())]
  }
}

extension Tensor {
  /// sin x, of radians.
  public func sine() -> Tensor { Trigonometry(kind: .sine)(self) }
  /// cos x, of radians.
  public func cosine() -> Tensor { Trigonometry(kind: .cosine)(self) }
}
