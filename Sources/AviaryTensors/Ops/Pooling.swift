import CThreads

/// The largest or the mean value of each window, over one to three spatial axes of N×C×spatial.
struct Pooling: Operation {
  enum Kind: Hashable, Sendable {
    case maximum
    /// Whether zeros of the padding count as values of the window: frameworks disagree.
    case average(countsPadding: Bool)
  }

  let kind: Kind
  let kernel: [Int]
  let geometry: ConvolutionGeometry

  var onnxName: String { kind == .maximum ? "MaxPool" : "AveragePool" }
  /// A maximum knows from its workspace where to send the gradient.
  var keeps: Kept { [] }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    let x = inputs[0].shape
    require(
      x.count == geometry.spatialRank + 2, "pooling over \(geometry.spatialRank) axes of \(x.shapeText)")
    return [TensorSpec(x.prefix(2) + geometry.outputExtents(Array(x.dropFirst(2)), kernel: kernel))]
  }

  var window: SlidingWindow? {
    SlidingWindow(kernel: kernel, stride: geometry.stride, dilation: geometry.dilation)
  }

  func primitive(_ input: TensorSpec) -> PoolingKernel {
    PoolingKernel(kind: kind, kernel: kernel, geometry: geometry, output: outputs(for: [input])[0].shape)
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    let x = inputs[0].cast(to: .float32)
    let (result, workspace) = InvalidArithmetic.checked {
      let fast = primitive(x.spec).forward(x, isTraining: context.isRecording)
      // What the kernel makes of a window of −∞ alone.
      if kind == .maximum, fast.result.contains(-.greatestFiniteMagnitude) { raise_invalid_flag() }
      return fast
    } careful: { fast in
      guard kind == .maximum else { return fast }
      let windows = WindowMaximum(geometry, kernel: kernel, over: Array(x.shape.dropFirst(2)))
      var inner = ForwardContext(isRecording: false)
      let results = windows.forward([x], &inner)
      return (results[0], results[1])
    }
    // The gradient needs the input's layout, not its values.
    context.save(
      Tensor(shape: x.shape, dtype: .float32, storage: .abstract(), layout: x.isDense ? x.layout : .rowMajor))
    if let workspace { context.save(workspace) }
    return [result]
  }

  func gradient(_ context: GradientContext) -> [Tensor?] {
    let spec = context.inputSpecs[0]
    let workspace = context.saved.count > 1 ? context.saved[1] : nil
    if let positions = workspace, positions.dtype == .int64 {
      return [context.upstream.maxUnpooled(positions, to: Array(spec.shape.dropFirst(2)))]
    }
    return [
      primitive(spec).backward(
        context.saved[0].descriptor, shape: spec.shape, context.upstream, workspace: workspace)
    ]
  }
}

/// Sizes of a pooling: the stride is the kernel's size unless given.
public struct PoolingGeometry: Hashable, Sendable {
  /// Extents of the window, per spatial axis.
  public var kernel: [Int]
  /// Positions from one window to the next, per spatial axis.
  public var stride: [Int]
  /// Positions around the input: a maximum leaves them out, a mean counts them as zeros if asked to.
  public var padding: Padding
  /// Input positions from one element of the window to the next, per spatial axis; 1 leaves no gaps.
  public var dilation: [Int]
  /// Keeps a last window that begins inside the input (or its padding before) but reaches beyond the end.
  public var usesCeiling: Bool

  /// Unless given, the stride is the kernel's size, and there is neither padding nor dilation.
  public init(
    kernel: [Int], stride: [Int]? = nil, padding: Padding? = nil, dilation: [Int]? = nil,
    usesCeiling: Bool = false
  ) {
    self.kernel = kernel
    self.stride = stride ?? kernel
    self.padding = padding ?? .none(kernel.count)
    self.dilation = dilation ?? kernel.map { _ in 1 }
    self.usesCeiling = usesCeiling
  }

  /// As a sliding kernel over the given extents: ceiling mode becomes padding after the end.
  func sliding(over input: [Int]) -> ConvolutionGeometry {
    var padding = padding
    let isWhole = [stride.count, dilation.count, padding.before.count, input.count].allSatisfy {
      $0 == kernel.count
    }
    if usesCeiling, isWhole, stride.allSatisfy({ $0 > 0 }) {
      for axis in kernel.indices {
        let reach = dilation[axis] * (kernel[axis] - 1) + 1
        let room = input[axis] + padding.before[axis] + padding.after[axis] - reach
        var count = (room + stride[axis] - 1) / stride[axis] + 1
        if (count - 1) * stride[axis] >= input[axis] + padding.before[axis] { count -= 1 }
        padding.after[axis] += max((count - 1) * stride[axis] - room, 0)
      }
    }
    return ConvolutionGeometry(stride: stride, padding: padding, dilation: dilation)
  }
}

extension Tensor {
  /// The largest value of each window.
  public func maxPooled(_ geometry: PoolingGeometry) -> Tensor {
    Pooling(
      kind: .maximum, kernel: geometry.kernel, geometry: geometry.sliding(over: Array(shape.dropFirst(2))))(
        self)
  }

  /// The mean of each window; `countsPadding` divides by the full window where it reaches into the padding.
  public func averagePooled(_ geometry: PoolingGeometry, countsPadding: Bool = true) -> Tensor {
    if countsPadding, geometry.usesCeiling, geometry.padding != .none(geometry.kernel.count) {
      // What ceiling mode adds beyond the padding does not count: pad first, then leave that out.
      var inner = geometry
      inner.padding = .none(geometry.kernel.count)
      return padded(spatially: geometry.padding).averagePooled(inner, countsPadding: false)
    }
    let countsPadding = countsPadding && !geometry.usesCeiling
    return Pooling(
      kind: .average(countsPadding: countsPadding), kernel: geometry.kernel,
      geometry: geometry.sliding(over: Array(shape.dropFirst(2))))(self)
  }

  /// (Σ|x|ᵖ)^(1/p) of each window; the maximum of |x| in the limit of large p.
  public func normPooled(_ p: Float, _ geometry: PoolingGeometry) -> Tensor {
    let size = Float(geometry.kernel.elementCount)
    return (abs().power(p).averagePooled(geometry) * size).power(1 / p)
  }

  /// log(1/n Σ eˣ) of each window: between the mean and the maximum.
  public func logAveragePooled(_ geometry: PoolingGeometry) -> Tensor {
    let largest = amax(Array(2..<rank), keepsAxes: true).detached
    return (self - largest).exp().averagePooled(geometry).log() + largest
  }
}
