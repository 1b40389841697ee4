/// Local response normalization across channels (Krizhevsky et al. 2012, section 3.3):
/// y = x / (k + α/n Σ x²)^β over `size` neighbouring channels of N×C×H×W.
struct LocalResponseNormalization: Operation {
  let kernel: LocalResponseKernel
  var onnxName: String { "LRN" }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    require(
      inputs[0].shape.count == 4,
      "local response normalization needs N×C×H×W, not \(inputs[0].shape.shapeText)")
    return [TensorSpec(inputs[0].shape)]
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    let (result, workspace) = kernel.forward(inputs[0].cast(to: .float32))
    if let workspace { context.save(workspace) }
    return [result]
  }

  func gradient(_ context: GradientContext) -> [Tensor?] {
    [kernel.backward(context.input(0).cast(to: .float32), context.upstream, workspace: context.saved.first)]
  }
}

extension Tensor {
  /// Each value divided by (k + α/size Σ x²)^β over `size` neighbouring channels.
  public func localResponseNormalized(
    size: Int = 5, alpha: Float = 1e-4, beta: Float = 0.75, k: Float = 1
  ) -> Tensor {
    LocalResponseNormalization(kernel: .init(size: size, alpha: alpha, beta: beta, k: k))(self)
  }
}
