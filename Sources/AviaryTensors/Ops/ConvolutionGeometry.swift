/// Zeros added around the spatial axes: separately before and after, because frameworks disagree where the odd one goes.
public struct Padding: Hashable, Sendable {
  /// Zeros before the first position, per spatial axis.
  public var before: [Int]
  /// Zeros after the last position, per spatial axis.
  public var after: [Int]

  /// Different amounts before and after, per spatial axis.
  public init(before: [Int], after: [Int]) {
    self.before = before
    self.after = after
  }

  /// The same amount before and after, per axis.
  public init(_ symmetric: [Int]) { self.init(before: symmetric, after: symmetric) }

  /// None on `rank` axes.
  public static func none(_ rank: Int) -> Padding { Padding(.init(repeating: 0, count: rank)) }

  /// TensorFlow's SAME: total = max((⌈i/s⌉ − 1)·s + (k − 1)·d + 1 − i, 0), the odd one after.
  public static func same(input: [Int], kernel: [Int], stride: [Int], dilation: [Int]? = nil) -> Padding {
    var padding = Padding.none(input.count)
    for axis in input.indices {
      let outputs = (input[axis] + stride[axis] - 1) / stride[axis]
      let reach = (kernel[axis] - 1) * (dilation?[axis] ?? 1) + 1
      let total = max((outputs - 1) * stride[axis] + reach - input[axis], 0)
      padding.before[axis] = total / 2
      padding.after[axis] = total - total / 2
    }
    return padding
  }
}

/// How a kernel slides over the spatial axes.
public struct ConvolutionGeometry: Hashable, Sendable {
  /// Positions from one window to the next, per spatial axis.
  public var stride: [Int]
  /// What is added around the input; for a transposed convolution, what is cut off its result.
  public var padding: Padding
  /// Input positions from one element of the kernel to the next, per spatial axis; 1 leaves no gaps.
  public var dilation: [Int]
  /// Channels are divided into this many groups that do not see each other; as many as channels is a depthwise convolution.
  public var groups: Int

  /// Without a dilation, the kernel has no gaps.
  public init(stride: [Int], padding: Padding, dilation: [Int]? = nil, groups: Int = 1) {
    self.stride = stride
    self.padding = padding
    self.dilation = dilation ?? stride.map { _ in 1 }
    self.groups = groups
  }

  var spatialRank: Int { stride.count }

  /// The extents of the result along the spatial axes: ⌊(i + p − d(k − 1) − 1) / s⌋ + 1.
  func outputExtents(_ input: [Int], kernel: [Int]) -> [Int] {
    requireSliding(over: input, kernel)
    return input.indices.map { axis in
      let room =
        input[axis] + padding.before[axis] + padding.after[axis] - dilation[axis] * (kernel[axis] - 1) - 1
      require(
        room >= 0,
        "a kernel of \(kernel.shapeText) (dilation \(dilation)) does not fit into \(input.shapeText) with padding "
          + "\(padding.before) and \(padding.after)")
      return room / stride[axis] + 1
    }
  }

  private func requireSliding(over input: [Int], _ kernel: [Int]) {
    require(
      [stride.count, dilation.count, kernel.count, padding.before.count, padding.after.count].allSatisfy {
        $0 == input.count
      } && (stride + dilation + kernel + [groups]).allSatisfy { $0 > 0 }
        && (padding.before + padding.after).allSatisfy { $0 >= 0 },
      "over \(input.shapeText) there is no kernel of \(kernel) with stride \(stride), dilation \(dilation), padding \(padding.before) and \(padding.after), \(groups) groups"
    )
  }

  /// The extents a transposed convolution makes: (i − 1)·s − p + d(k − 1) + 1 + output padding.
  func transposedExtents(_ input: [Int], kernel: [Int], outputPadding: [Int]) -> [Int] {
    requireSliding(over: input, kernel)
    return input.indices.map { axis in
      let extent =
        (input[axis] - 1) * stride[axis] - padding.before[axis] - padding.after[axis]
        + dilation[axis] * (kernel[axis] - 1) + 1 + outputPadding[axis]
      require(extent > 0, "a transposed convolution of \(input.shapeText) would make nothing")
      return extent
    }
  }
}
