import Foundation

/// Sine and cosine, for position and time embeddings, and the arctangent, for the proportions of boxes.
struct Trigonometry: Operation {
  enum Kind: String, Sendable { case sine, cosine, arctangent }

  let kind: Kind

  var onnxName: String {
    switch kind {
    case .sine: "Sin"
    case .cosine: "Cos"
    case .arctangent: "Atan"
    }
  }

  private func value(_ x: Float) -> Float {
    switch kind {
    case .sine: sinf(x)
    case .cosine: cosf(x)
    case .arctangent: atanf(x)
    }
  }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] { [TensorSpec(inputs[0].shape)] }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    let result = inputs[0].withUnsafeValues { values in
      Tensor(inputs[0].shape) { result in
        for i in values.indices { result[i] = value(values[i]) }
      }
    }
    return [result]
  }

  func gradient(_ context: GradientContext) -> [Tensor?] {
    let input = context.input(0)
    switch kind {
    case .sine: return [context.upstream * input.cosine()]
    case .cosine: return [context.upstream * -input.sine()]
    case .arctangent: return [context.upstream / (input.square() + 1)]
    }
  }
}

extension Tensor {
  /// sin x, of radians.
  public func sine() -> Tensor { Trigonometry(kind: .sine)(self) }
  /// cos x, of radians.
  public func cosine() -> Tensor { Trigonometry(kind: .cosine)(self) }
  /// arctan x, in radians.
  public func arctangent() -> Tensor { Trigonometry(kind: .arctangent)(self) }
}
