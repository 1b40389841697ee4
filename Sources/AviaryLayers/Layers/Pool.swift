import AviaryTensors

/// The largest value of each window of N×C×spatial.
public final class MaxPool<Rank: SpatialRank>: Layer {
  private let sliding: SlidingWindow<Rank>

  /// The stride is the kernel's size unless given.
  public init(kernel: Extents, stride: Extents? = nil, padding: LayerPadding = 0, usesCeiling: Bool = false) {
    sliding = SlidingWindow(kernel, stride, padding, usesCeiling)
  }

  /// N×C×spatial to the same with fewer positions; padding is never the largest value.
  public func callAsFunction(_ input: Tensor) -> Tensor { input.maxPooled(sliding.geometry(input.shape)) }
}

/// The mean of each window of N×C×spatial.
public final class AvgPool<Rank: SpatialRank>: Layer {
  private let sliding: SlidingWindow<Rank>
  private let countsPadding: Bool

  /// `countsPadding` divides by the full window where it reaches into the padding, as PyTorch does; Keras does not.
  public init(
    kernel: Extents, stride: Extents? = nil, padding: LayerPadding = 0, usesCeiling: Bool = false,
    countsPadding: Bool = true
  ) {
    sliding = SlidingWindow(kernel, stride, padding, usesCeiling)
    self.countsPadding = countsPadding
  }

  /// N×C×spatial to the same with fewer positions.
  public func callAsFunction(_ input: Tensor) -> Tensor {
    input.averagePooled(sliding.geometry(input.shape), countsPadding: countsPadding)
  }
}

private struct SlidingWindow<Rank: SpatialRank> {
  let kernel: [Int]
  let stride: [Int]
  let padding: LayerPadding
  let usesCeiling: Bool

  init(_ kernel: Extents, _ stride: Extents?, _ padding: LayerPadding, _ usesCeiling: Bool) {
    self.kernel = kernel.resolved(Rank.count)
    self.stride = (stride ?? kernel).resolved(Rank.count)
    self.padding = padding
    self.usesCeiling = usesCeiling
  }

  func geometry(_ input: Shape) -> PoolingGeometry {
    let padding = padding.resolved(
      input: input, kernel: kernel, stride: stride, dilation: kernel.map { _ in 1 })
    return PoolingGeometry(kernel: kernel, stride: stride, padding: padding, usesCeiling: usesCeiling)
  }
}

/// The largest value of each window of N×C×T.
public typealias MaxPool1d = MaxPool<Rank1>
/// The largest value of each window of N×C×H×W.
public typealias MaxPool2d = MaxPool<Rank2>
/// The largest value of each window of N×C×depth×H×W.
public typealias MaxPool3d = MaxPool<Rank3>
/// The mean of each window of N×C×T.
public typealias AvgPool1d = AvgPool<Rank1>
/// The mean of each window of N×C×H×W.
public typealias AvgPool2d = AvgPool<Rank2>
/// The mean of each window of N×C×depth×H×W.
public typealias AvgPool3d = AvgPool<Rank3>

/// Zeros around H×W that count as values, where a layer's own padding would not: a maximum leaves its padding out.
public final class ZeroPad2d: Layer {
  private let padding: Padding
  /// `extents` are the zeros on either side of H and of W.
  public init(_ extents: Extents) { padding = Padding(extents.resolved(2)) }
  /// N×C×H×W to N×C×(H + 2·h)×(W + 2·w).
  public func callAsFunction(_ input: Tensor) -> Tensor { input.padded(spatially: padding) }
}

/// Means over windows that divide H×W into the given number of pieces.
public final class AdaptiveAvgPool2d: Layer {
  private let extents: [Int]
  /// `extents` are those of the result, along H and W.
  public init(_ extents: Extents) { self.extents = extents.resolved(2) }
  /// N×C×H×W to N×C×`extents`, whatever H and W are.
  public func callAsFunction(_ input: Tensor) -> Tensor { input.adaptiveAveragePooled(to: extents) }
}

/// The mean over all spatial axes: N×C×spatial to N×C.
public final class GlobalAvgPool: Layer {
  /// For inputs with any number of spatial axes.
  public init() {}
  /// N×C×spatial to N×C.
  public func callAsFunction(_ input: Tensor) -> Tensor {
    input.adaptiveAveragePooled(to: .init(repeating: 1, count: input.rank - 2)).flattened(from: 1)
  }
}
