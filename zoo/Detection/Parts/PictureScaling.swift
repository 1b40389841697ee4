import AviaryLayers
import AviaryTensors

/// What torchvision's detectors do with a picture before anything else: they normalise and resize it, then pad it with zeros, which are the mean
/// colour, at the right and below. Here it is resized first: that is the same, for both are linear, and a large picture is there but once.
struct PictureScaling: Sendable, Hashable {
  /// How the new height and width follow from the old ones.
  enum Rule: Sendable, Hashable {
    /// The shorter side as long as this, less where the longer one would be longer than that; padded to multiples of 32.
    case sides(short: Int, long: Int)
    /// This height and width, whatever the picture's; not padded.
    case exact(Int)
  }

  var rule: Rule
  var mean: [Float] = [0.485, 0.456, 0.406]
  var deviation: [Float] = [0.229, 0.224, 0.225]

  private static let multiple = 32

  /// Height and width of a resized picture, which torchvision truncates: 799 instead of 800 for some.
  func size(height: Int, width: Int) -> (height: Int, width: Int) {
    switch rule {
    case .exact(let side): return (side, side)
    case .sides(let short, let long):
      let scale = min(Double(short) / Double(min(height, width)), Double(long) / Double(max(height, width)))
      // A side of a picture that is much longer than wide.
      return (max(Int(Double(height) * scale), 1), max(Int(Double(width) * scale), 1))
    }
  }

  /// Pictures N×3×H×W of 0…1 as the rest of the network takes them.
  func callAsFunction(_ image: Tensor) -> ScaledPicture {
    let (height, width) = size(height: image.shape[2], width: image.shape[3])
    let resized =
      (image.interpolated(to: [height, width], .linear(alignsCorners: false))
        - Tensor(mean, shape: [3, 1, 1])) / Tensor(deviation, shape: [3, 1, 1])
    guard case .sides = rule else {
      return ScaledPicture(tensor: resized, height: height, width: width, original: image.shape)
    }
    func missing(_ side: Int) -> Int { (Self.multiple - side % Self.multiple) % Self.multiple }
    let padding = Padding(before: [0, 0], after: [missing(height), missing(width)])
    return ScaledPicture(
      tensor: resized.padded(spatially: padding), height: height, width: width, original: image.shape)
  }
}

/// Pictures of one size, resized and padded.
struct ScaledPicture {
  /// N×3×H×W with the padding.
  let tensor: Tensor
  /// Without the padding.
  let height: Int
  /// Without the padding.
  let width: Int
  /// Of the pictures before.
  let original: Shape

  /// The size without the padding, to which boxes are cut.
  var frame: Frame { Frame(height: height, width: width) }

  /// Boxes …×4 of the resized picture in pixels of the picture as it was.
  func unscaled(_ boxes: Tensor) -> Tensor {
    let (x, y) = (Float(original[3]) / Float(width), Float(original[2]) / Float(height))
    return boxes * Tensor([x, y, x, y])
  }
}

/// Height and width in pixels.
struct Frame: Sendable, Hashable {
  let height: Int
  let width: Int
}
