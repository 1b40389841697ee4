import AviaryTensors

/// The pixels around the edge mirrored to the outside, without repeating the edge: c b a b c.
public final class ReflectionPad2d: Layer {
  private let padding: Padding
  /// `extents` are the pixels on either side of H and of W, fewer than there are.
  public init(_ extents: Extents) { padding = Padding(extents.resolved(2)) }
  /// N×C×H×W to N×C×(H + 2·h)×(W + 2·w).
  public func callAsFunction(_ input: Tensor) -> Tensor { input.padded(spatially: padding, .reflect) }
}
