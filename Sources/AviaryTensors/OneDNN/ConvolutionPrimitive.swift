import COneDNN

/// oneDNN's convolution for one pair of shapes: forward, and the gradients with respect to input and weights.
///
/// Layouts are the primitives' own choice; operands that lie otherwise are reordered, weights once for all runs.
struct ConvolutionKernel: Hashable, Sendable {
  let geometry: ConvolutionGeometry
  /// N×C×spatial.
  let input: Shape
  /// O×(C/groups)×spatial.
  let weights: Shape
  let hasBias: Bool
  var algorithm: Algorithm
  /// What the forward kernel does to its result.
  var finishing: [PostOperation] = []

  /// What inputs, weights and results are stored in; sums are float32 in any case.
  var dtype = DType.float32
  /// The weights stay the same for many runs: Winograd's transform of them is then part of packing them.
  var hasFixedWeights = false

  enum Algorithm: String, Hashable, Sendable, CaseIterable {
    case direct
    /// Winograd's transforms where they apply, else direct.
    case winograd
    /// Winograd's F(4×4, 3×3) and F(2×2, 3×3) with weights transformed beforehand.
    case winograd4x3, winograd2x3
    /// 5×5 as 3×3 of more channels; see ``SplitConvolution``.
    case split
    /// F(4×4, 3×3) by this package's own loop; see ``WinogradLoop``.
    case ownWinograd

    /// Part of the name of oneDNN's implementation.
    fileprivate var implementation: String? {
      switch self {
      case .direct, .split: nil
      // The loop leaves some activations to oneDNN's kernel.
      case .winograd, .winograd4x3, .ownWinograd: "wino_4x3"
      case .winograd2x3: "wino_2x3"
      }
    }
  }

  init(_ geometry: ConvolutionGeometry, input: Shape, weights: Shape, hasBias: Bool = false) {
    self.geometry = geometry
    self.input = input
    self.weights = weights
    self.hasBias = hasBias
    algorithm = ExecutionScope.current.isExact ? .direct : .winograd
  }

  var output: Shape {
    [input[0], weights[0]]
      + geometry.outputExtents(Array(input.dropFirst(2)), kernel: Array(weights.dropFirst(2)))
  }

  /// oneDNN writes groups as an axis of their own: g×(O/g)×(C/g)×spatial, the same bytes.
  var groupedWeights: Shape {
    guard geometry.groups > 1 else { return weights }
    return [geometry.groups, weights[0] / geometry.groups] + weights.dropFirst()
  }

  // MARK: Runs

  func forward(_ x: Tensor, _ w: Tensor, _ bias: Tensor?) -> Tensor {
    InvalidArithmetic.checked {
      fastForward(x, w, bias)
    } careful: { result in
      var plain = careful
      plain.finishing = []
      if plain == self { return result }
      return finishing.reduce(plain.fastForward(x, w, bias)) { result, step in
        guard case .activation(let kernel) = step else { return result }
        return kernel.forward(result)
      }
    }
  }

  /// By the algorithm that multiplies what the definition multiplies: Winograd's transforms spread an infinite value over a whole tile.
  private var careful: ConvolutionKernel {
    var kernel = self
    kernel.algorithm = .direct
    return kernel
  }

  private func fastForward(_ x: Tensor, _ w: Tensor, _ bias: Tensor?) -> Tensor {
    let primitive = forwardPrimitive
    let result = Tensor(primitive.descriptor(.destination(0)), shape: output)
    var arguments: [Primitive.Argument] = [
      .init(DNNL_ARG_SRC, x.reordered(to: primitive.descriptor(.source(0)))),
      .init(DNNL_ARG_WEIGHTS, arranged(w, primitive.descriptor(.weights(0)))),
      .init(DNNL_ARG_DST, result),
    ]
    if let bias { arguments.append(.init(DNNL_ARG_BIAS, bias.rowMajor())) }
    primitive.execute(arguments)
    return result
  }

  /// The gradient with respect to the input; also the forward pass of the transposed convolution.
  func inputGradient(_ upstream: Tensor, _ w: Tensor) -> Tensor {
    InvalidArithmetic.checked {
      fastInputGradient(upstream, w)
    } careful: {
      careful == self ? $0 : careful.fastInputGradient(upstream, w)
    }
  }

  private func fastInputGradient(_ upstream: Tensor, _ w: Tensor) -> Tensor {
    let primitive = cached("convolution, input gradient", makeInputGradient)
    let result = Tensor(primitive.descriptor(.differentialSource(0)), shape: input)
    primitive.execute([
      .init(DNNL_ARG_DIFF_DST, upstream.reordered(to: primitive.descriptor(.differentialDestination(0)))),
      .init(DNNL_ARG_WEIGHTS, arranged(w, primitive.descriptor(.weights(0)))),
      .init(DNNL_ARG_DIFF_SRC, result),
    ])
    return result
  }

  /// The gradients with respect to the weights and, when there is one, the bias.
  func weightGradient(_ x: Tensor, _ upstream: Tensor) -> (weights: Tensor, bias: Tensor?) {
    InvalidArithmetic.checked {
      fastWeightGradient(x, upstream)
    } careful: {
      careful == self ? $0 : careful.fastWeightGradient(x, upstream)
    }
  }

  private func fastWeightGradient(_ x: Tensor, _ upstream: Tensor) -> (weights: Tensor, bias: Tensor?) {
    let primitive = cached("convolution, weight gradient", makeWeightGradient)
    let result = Tensor(primitive.descriptor(.differentialWeights(0)), shape: groupedWeights)
    let bias = hasBias ? Tensor(.rowMajor([weights[0]]), shape: [weights[0]]) : nil
    var arguments: [Primitive.Argument] = [
      .init(DNNL_ARG_SRC, x.reordered(to: primitive.descriptor(.source(0)))),
      .init(DNNL_ARG_DIFF_DST, upstream.reordered(to: primitive.descriptor(.differentialDestination(0)))),
      .init(DNNL_ARG_DIFF_WEIGHTS, result),
    ]
    if let bias { arguments.append(.init(DNNL_ARG_DIFF_BIAS, bias)) }
    primitive.execute(arguments)
    return (geometry.groups > 1 ? result.rowMajor().reshaped(weights) : result, bias)
  }

  /// The weights in a kernel's layout: kept for the next run when there is one with the same weights, else gone after this one.
  private func arranged(_ w: Tensor, _ layout: MemoryDescriptor) -> Tensor {
    hasFixedWeights ? grouped(w).packed(to: layout) : grouped(w).reordered(to: layout)
  }

  private func grouped(_ w: Tensor) -> Tensor { geometry.groups > 1 ? w.reshaped(groupedWeights) : w }

  // MARK: Primitives

  private func cached(_ role: String, _ make: () -> Primitive) -> Primitive {
    PrimitiveCache.primitive(.init(operation: self, role: role, descriptors: []), make: make)
  }

  /// Winograd's transforms apply to 3×3, stride 1, full blocks of channels: they need 2.25 to 4 times fewer multiplications.
  var mayUseWinograd: Bool {
    dtype == .float32 && geometry.groups == 1 && geometry.spatialRank == 2 && weights[2...] == [3, 3]
      && geometry.stride == [1, 1]
      && geometry.dilation == [1, 1] && weights[0] % 16 == 0 && weights[1] % 16 == 0
  }

  private var algorithms: [Algorithm] {
    algorithm != .direct && mayUseWinograd ? [algorithm, .direct] : [.direct]
  }

  /// The first algorithm that has a kernel; free layouts first, plain ones where those end in the reference loop.
  private func first(
    _ make: (Algorithm, _ layout: (Shape) -> MemoryDescriptor) -> Primitive?
  ) -> Primitive {
    var slow: Primitive?
    for algorithm in algorithms {
      for layout in [
        { MemoryDescriptor.any($0, dtype) }, { MemoryDescriptor(shape: $0, dtype: dtype) },
      ] {
        guard let primitive = make(algorithm, layout) else { continue }
        if !primitive.implementation.hasPrefix("ref") { return primitive }
        slow = slow ?? primitive
      }
    }
    guard let slow else {
      requirementFailure("oneDNN has no convolution of \(input.shapeText) by \(weights.shapeText)")
    }
    return slow
  }

  /// The forward kernel.
  var forwardPrimitive: Primitive { cached("convolution") { first(makeForward) } }

  private func makeForward(
    _ algorithm: Algorithm, _ layout: (Shape) -> MemoryDescriptor
  ) -> Primitive? {
    var description = dnnl_convolution_desc_t()
    var (x, w, y) = (layout(input).raw, layout(groupedWeights).raw, layout(output).raw)
    var bias = MemoryDescriptor.rowMajor([weights[0]]).raw
    // For inference oneDNN's direct kernels would choose channels-last, which no Winograd kernel reads.
    let purpose = hasFixedWeights && algorithm != .direct ? dnnl_forward_inference : dnnl_forward_training
    let status = withSliding { stride, dilation, before, after in
      withUnsafePointer(to: &bias) { bias in
        dnnl_dilated_convolution_forward_desc_init(
          &description, purpose, algorithm.kind, &x, &w, hasBias ? bias : nil, &y, stride, dilation, before,
          after)
      }
    }
    guard status == dnnl_success else { return nil }
    return Primitive.make(
      description, finishing: finishing, implementation: algorithm.implementation,
      isDivisible: algorithm == .direct || hasFixedWeights)
  }

  private func makeInputGradient() -> Primitive {
    first { algorithm, layout in
      guard let hint = makeForward(algorithm, layout) else { return nil }
      var description = dnnl_convolution_desc_t()
      var (x, w, y) = (layout(input).raw, layout(groupedWeights).raw, layout(output).raw)
      let status = withSliding { stride, dilation, before, after in
        dnnl_dilated_convolution_backward_data_desc_init(
          &description, algorithm.kind, &x, &w, &y, stride, dilation, before, after)
      }
      return status == dnnl_success ? Primitive.make(description, hint: hint.hint) : nil
    }
  }

  private func makeWeightGradient() -> Primitive {
    first { algorithm, layout in
      guard let hint = makeForward(algorithm, layout) else { return nil }
      var description = dnnl_convolution_desc_t()
      var (x, w, y) = (layout(input).raw, layout(groupedWeights).raw, layout(output).raw)
      var bias = MemoryDescriptor.rowMajor([weights[0]]).raw
      let status = withSliding { stride, dilation, before, after in
        withUnsafePointer(to: &bias) { bias in
          dnnl_dilated_convolution_backward_weights_desc_init(
            &description, algorithm.kind, &x, &w, hasBias ? bias : nil, &y, stride, dilation, before, after)
        }
      }
      return status == dnnl_success ? Primitive.make(description, hint: hint.hint) : nil
    }
  }

  /// The geometry as oneDNN counts it: a dilation of 0 is none.
  private func withSliding(
    _ body: ([Int64], [Int64], [Int64], [Int64]) -> dnnl_status_t
  ) -> dnnl_status_t {
    body(
      geometry.stride.map(Int64.init), geometry.dilation.map { Int64($0 - 1) },
      geometry.padding.before.map(Int64.init), geometry.padding.after.map(Int64.init))
  }
}

extension ConvolutionKernel.Algorithm {
  fileprivate var kind: dnnl_alg_kind_t {
    switch self {
    case .direct, .split: dnnl_convolution_direct
    case .winograd, .winograd4x3, .winograd2x3, .ownWinograd: dnnl_convolution_winograd
    }
  }
}
