/// eˣ / Σ eˣ along the last axis, or its logarithm.
struct Softmax: Operation {
  let isLogarithmic: Bool
  var onnxName: String { isLogarithmic ? "LogSoftmax" : "Softmax" }
  var keeps: Kept { .outputs }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    require(!inputs[0].shape.isEmpty, "softmax of a scalar")
    return [TensorSpec(inputs[0].shape)]
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    [SoftmaxKernel(isLogarithmic: isLogarithmic).forward(inputs[0].cast(to: .float32))]
  }

  func gradient(_ context: GradientContext) -> [Tensor?] {
    [SoftmaxKernel(isLogarithmic: isLogarithmic).backward(context.output(0), context.upstream)]
  }
}

extension Tensor {
  /// eˣ / Σ eˣ along `axis`.
  public func softmax(_ axis: Int = -1) -> Tensor { along(axis) { Softmax(isLogarithmic: false)($0) } }
  /// log(eˣ / Σ eˣ) along `axis`.
  public func logSoftmax(_ axis: Int = -1) -> Tensor { along(axis) { Softmax(isLogarithmic: true)($0) } }

  /// Applies a function of the last axis to another one.
  func along(_ axis: Int, _ body: (Tensor) -> Tensor) -> Tensor {
    let axis = resolved(axis: axis, rank: rank)
    return axis == rank - 1 ? body(self) : body(transposed(axis, -1)).transposed(axis, -1)
  }
}
