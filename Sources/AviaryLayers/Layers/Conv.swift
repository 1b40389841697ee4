import AviaryTensors

/// Convolution over N×C×spatial; weights O×(C/groups)×kernel.
public final class Conv<Rank: SpatialRank>: RectifiableLayer {
  /// O×(C/groups)×kernel.
  public private(set) var weight: Parameter
  /// One number per output channel, O; or nil.
  public let bias: Parameter?
  /// Positions from one window to the next, per spatial axis.
  public let stride: [Int]
  /// Zeros around the input; ``LayerPadding/same`` is worked out for each input's size.
  public let padding: LayerPadding
  /// Input positions from one element of the kernel to the next, per spatial axis.
  public let dilation: [Int]
  /// Channels are divided into this many groups that do not see each other.
  public let groups: Int

  /// Channels from and to, multiples of `groups`; with an initializer for the weights, the bias starts with zeros.
  public init(
    _ inputs: Int, _ outputs: Int, kernel: Extents, stride: Extents = 1, padding: LayerPadding = 0,
    dilation: Extents = 1, groups: Int = 1, bias: Bool = true, initializer: Initializer? = nil
  ) {
    require(
      groups > 0 && inputs > 0 && outputs > 0 && inputs % groups == 0 && outputs % groups == 0,
      "\(inputs) to \(outputs) channels in \(groups) groups")
    let kernel = kernel.resolved(Rank.count)
    let fanIn = inputs / groups * kernel.elementCount
    weight = Parameter([outputs, inputs / groups] + kernel, initializer ?? .torchDefault(fanIn: fanIn))
    self.bias = bias ? Parameter([outputs], initializer == nil ? .torchDefault(fanIn: fanIn) : .zeros) : nil
    self.stride = stride.resolved(Rank.count)
    self.padding = padding
    self.dilation = dilation.resolved(Rank.count)
    self.groups = groups
  }

  /// N×C×spatial to N×O×spatial.
  public func callAsFunction(_ input: Tensor) -> Tensor { convolved(input, rectifies: false) }

  public func rectified(_ input: Tensor) -> Tensor {
    Trace.isActive ? self(input).relu() : convolved(input, rectifies: true)
  }

  /// Takes inputs with another number of channels from now on.
  ///
  /// The weights for one channel are the sums of those there were; for more, they are repeated in turn and scaled by the ratio of the
  /// channels. An input whose channels are alike gives what it gave before, with more channels where their number is a multiple.
  public func adapt(inputs channels: Int) {
    require(groups == 1 && channels > 0, "\(channels) input channels in \(groups) groups")
    let old = weight.value
    let count = old.shape[1]
    guard channels != count else { return }
    let value =
      channels == 1
      ? old.sum([1], keepsAxes: true)
      : old.taking((0..<channels).map { $0 % count }, axis: 1) * (Float(count) / Float(channels))
    let adapted = Parameter(value.shape, .zeros)
    adapted.value = value
    adapted.isFrozen = weight.isFrozen
    weight = adapted
  }

  private func convolved(_ input: Tensor, rectifies: Bool) -> Tensor {
    let padding = padding.resolved(
      input: input.shape, kernel: Array(weight.shape.dropFirst(2)), stride: stride, dilation: dilation)
    return convolution(
      input, weight.value, bias: bias?.value,
      ConvolutionGeometry(stride: stride, padding: padding, dilation: dilation, groups: groups),
      rectifies: rectifies)
  }
}

/// Convolution over N×C×T.
public typealias Conv1d = Conv<Rank1>
/// Convolution over N×C×H×W.
public typealias Conv2d = Conv<Rank2>
/// Convolution over N×C×depth×H×W.
public typealias Conv3d = Conv<Rank3>

/// Transposed convolution over N×C×spatial; weights C×(O/groups)×kernel.
public final class ConvTranspose<Rank: SpatialRank>: Layer {
  /// C×(O/groups)×kernel, as in PyTorch.
  public let weight: Parameter
  /// O, or nil.
  public let bias: Parameter?
  private let geometry: ConvolutionGeometry
  private let outputPadding: [Int]

  /// `padding` is what is cut off the full result, separately before and after.
  public init(
    _ inputs: Int, _ outputs: Int, kernel: Extents, stride: Extents = 1, padding: Padding? = nil,
    outputPadding: Extents = 0, dilation: Extents = 1, groups: Int = 1, bias: Bool = true
  ) {
    let kernel = kernel.resolved(Rank.count)
    let fanIn = outputs / groups * kernel.elementCount
    weight = Parameter([inputs, outputs / groups] + kernel, .torchDefault(fanIn: fanIn))
    self.bias = bias ? Parameter([outputs], .torchDefault(fanIn: fanIn)) : nil
    self.outputPadding = outputPadding.resolved(Rank.count)
    geometry = ConvolutionGeometry(
      stride: stride.resolved(Rank.count), padding: padding ?? .none(Rank.count),
      dilation: dilation.resolved(Rank.count), groups: groups)
  }

  /// N×C×spatial to N×O×spatial, with extents of (i − 1)·s − p + d(k − 1) + 1 + output padding.
  public func callAsFunction(_ input: Tensor) -> Tensor {
    transposedConvolution(input, weight.value, bias: bias?.value, geometry, outputPadding: outputPadding)
  }
}

/// Transposed convolution over N×C×T.
public typealias ConvTranspose1d = ConvTranspose<Rank1>
/// Transposed convolution over N×C×H×W.
public typealias ConvTranspose2d = ConvTranspose<Rank2>
/// Transposed convolution over N×C×depth×H×W.
public typealias ConvTranspose3d = ConvTranspose<Rank3>
