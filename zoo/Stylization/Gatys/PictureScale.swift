import AviaryTensors
import AviaryVision

/// Pictures as style transfer changes them, 1×3×H×W with values from 0 to 255 and channels in the network's order, and as networks take them.
struct PictureScale: Sendable {
  private let channels: Preprocessing.Channels
  private let scale: Tensor
  private let shift: Tensor

  /// - Parameter preprocessing: one for three channels.
  init(_ preprocessing: Preprocessing) {
    channels = preprocessing.channels
    let std = preprocessing.std
    scale = Tensor(std.map { 1 / (preprocessing.divisor * $0) }, shape: [1, 3, 1, 1])
    shift = Tensor(zip(preprocessing.mean, std).map { -$0 / $1 }, shape: [1, 3, 1, 1])
  }

  /// The values of a picture.
  func values(of image: Image) -> Tensor { Preprocessing(channels: channels, divisor: 1)(image) }

  /// Red, green and blue N×3×H×W in the network's order.
  func ordered(_ rgb: Tensor) -> Tensor { channels == .bgr ? rgb.flipped(1) : rgb }

  /// What the network takes for values.
  func input(_ values: Tensor) -> Tensor { values * scale + shift }

  /// The values of what the network takes.
  func values(ofInput input: Tensor) -> Tensor { (input - shift) / scale }

  /// The picture with these values, cut off at black and white. Throws `NonFiniteError`.
  func image(of values: Tensor) throws -> Image {
    let rgb = channels == .bgr ? values.flipped(1) : values
    return try Image.pictures(of: rgb, range: 0...255)[0]
  }
}

extension Image {
  /// This picture's brightness with another one's colours, pixel by pixel (Gatys et al. 2016, "Preserving Color in Neural Artistic Style
  /// Transfer", arXiv:1606.05897, section 2.2): Y of one and Cb, Cr of the other, by ITU-R BT.601.
  func coloured(as other: Image) -> Image {
    require(width == other.width && height == other.height, "colours of a picture of another size")
    let (own, colours) = (converted(to: .rgb), other.converted(to: .rgb))
    var result = own
    func luma(_ pixels: [UInt8], _ place: Int) -> Float {
      0.299 * Float(pixels[place]) + 0.587 * Float(pixels[place + 1]) + 0.114 * Float(pixels[place + 2])
    }
    result.pixels = own.pixels.indices.map { index in
      let place = index - index % 3
      // Red, green and blue all differ from Y by what Cb and Cr say alone.
      let value = Float(colours.pixels[index]) + luma(own.pixels, place) - luma(colours.pixels, place)
      return UInt8(min(max(value.rounded(), 0), 255))
    }
    return result
  }
}
