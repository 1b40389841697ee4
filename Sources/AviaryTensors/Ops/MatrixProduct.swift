/// The product of matrices in the last two axes, batched over the others with broadcasting.
struct MatrixProduct: Operation {
  var onnxName: String { "MatMul" }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    let (a, b) = (inputs[0].shape, inputs[1].shape)
    require(
      a.count >= 2 && b.count >= 2 && a[a.count - 1] == b[b.count - 2],
      "matrix product of \(a.shapeText) and \(b.shapeText)")
    guard let batch = broadcast(Array(a.dropLast(2)), Array(b.dropLast(2))) else {
      requirementFailure(
        "matrix product: the batches of \(a.shapeText) and \(b.shapeText) do not fit together")
    }
    return [TensorSpec(batch + [a[a.count - 2], b[b.count - 1]])]
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    let shape = outputs(for: inputs.map(\.spec))[0].shape
    // oneDNN wants equal ranks; missing batch axes have one element.
    let operands = inputs.map { input -> Tensor in
      let missing = shape.count - input.rank
      let source = input.cast(to: .float32).plain()
      guard missing > 0 else { return source }
      return source.view(
        Shape(repeating: 1, count: missing) + source.shape,
        Array(repeating: source.count, count: missing) + source.strides)
    }
    return [MatmulKernel.run(operands[0], operands[1], shape: shape)]
  }

  func gradient(_ context: GradientContext) -> [Tensor?] {
    let upstream = context.upstream
    let (a, b) = (context.inputSpecs[0].shape, context.inputSpecs[1].shape)
    return [
      context.needs(0) ? upstream.matmul(context.input(1).transposed()).summed(to: a) : nil,
      context.needs(1) ? context.input(0).transposed().matmul(upstream).summed(to: b) : nil,
    ]
  }

  func multiplyAdds(for inputs: [TensorSpec]) -> Int {
    outputs(for: inputs)[0].shape.elementCount * (inputs[0].shape.last ?? 0)
  }
}

extension Tensor {
  /// The matrix product, batched over all but the last two axes.
  public func matmul(_ other: Tensor) -> Tensor { MatrixProduct()(self, other) }
}

/// y = x Wᵀ + b for x …×in, W out×in, and optionally b of out values.
struct LinearMap: Operation {
  var onnxName: String { "Gemm" }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    let (x, w) = (inputs[0].shape, inputs[1].shape)
    require(
      !x.isEmpty && w.count == 2 && x.last == w[1],
      "linear: input \(x.shapeText), weights \(w.shapeText) (out×in)")
    if inputs.count > 2 {
      require(
        inputs[2].shape == [w[0]], "linear: a bias of \(inputs[2].shape.shapeText) for \(w[0]) outputs")
    }
    return [TensorSpec(x.dropLast() + [w[0]])]
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    let shape = outputs(for: inputs.map(\.spec))[0].shape
    let (rows, w) = (shape.dropLast().reduce(1, *), inputs[1].cast(to: .float32))
    let x = inputs[0].cast(to: .float32).reshaped([rows, w.shape[1]])
    let bias = inputs.count > 2 ? inputs[2].cast(to: .float32) : nil
    if rows == 1, w.count > 0 {
      let kernel = InnerProductKernel(inputs: w.shape[1], outputs: w.shape[0], hasBias: bias != nil)
      let weights = context.isRecording ? w.rowMajor() : w.packed(to: .rowMajor(w.shape))
      return [kernel.run(x, weights, bias: bias).reshaped(shape)]
    }
    let product = MatmulKernel.run(
      x, w.transposed(), bias: bias, shape: [rows, w.shape[0]], packs: !context.isRecording)
    return [product.reshaped(shape)]
  }

  func gradient(_ context: GradientContext) -> [Tensor?] {
    let (x, w) = (context.inputSpecs[0].shape, context.inputSpecs[1].shape)
    let rows = x.dropLast().reduce(1, *)
    let upstream = context.upstream.reshaped([rows, w[0]])
    return [
      context.needs(0) ? upstream.matmul(context.input(1)).reshaped(x) : nil,
      context.needs(1)
        ? upstream.transposed().matmul(context.input(0).cast(to: .float32).reshaped([rows, w[1]])) : nil,
      context.needs(2) ? upstream.sum([0]) : nil,
    ]
  }

  func multiplyAdds(for inputs: [TensorSpec]) -> Int {
    outputs(for: inputs)[0].shape.elementCount * inputs[1].shape[1]
  }
}

/// y = x Wᵀ + b for x (…×in), weights (out×in) and a bias (out).
public func linear(_ x: Tensor, _ weights: Tensor, bias: Tensor? = nil) -> Tensor {
  LinearMap().apply([x, weights] + (bias.map { [$0] } ?? []))[0]
}
