import AviaryLayers
import AviaryTensors

/// A residual network without its classifier, and the positions of the places of its map (Carion et al. 2020, section 3.2 "Backbone" and
/// appendix A.4).
///
/// Batch normalization is frozen. facebookresearch joins the body to the positions, which have no weights: it is layer 0 of a sequence.
package final class DETRBackbone: Module, Container {
  /// The residual network, which ends with layer4.
  package let body: ResNet
  /// C of the map.
  let channels: Int

  init(_ configuration: ResNet.Configuration) {
    body = ResNet(configuration.withFrozenBatchNorm, classes: nil)
    channels = 512 * configuration.block.expansion
  }

  /// The body as `0.body`.
  package var namedChildren: [(name: String, module: any Module)] { [("0.body", body)] }

  /// What the transformer's encoder looks at: the map N×C×H/32×W/32, and of its T places the positions N×T×D and the padding N×T.
  ///
  /// - Parameters:
  ///   - image: N×3×H×W.
  ///   - mask: N×H×W, Boolean, true for padding.
  ///   - width: D.
  func callAsFunction(
    _ image: Tensor, mask: Tensor, width: Int
  ) -> (features: Tensor, positions: Tensor, padding: Tensor) {
    let features = body(image)
    // A place of the map is padding where the pixel in its upper left corner is.
    let padding = mask.cast(to: .float32).expandedAxis(at: 1)
      .interpolated(to: Array(features.shape.dropFirst(2)), .nearest).squeezed(1).cast(to: .bool)
    let positions = sinePositions(hiding: padding, width: width)  // N×H/32×W/32×D
    let places = padding.shape[1] * padding.shape[2]
    return (
      features, positions.reshaped([image.shape[0], places, width]), padding.flattened(from: 1)
    )
  }
}
