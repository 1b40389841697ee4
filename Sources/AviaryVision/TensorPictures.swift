import AviaryTensors

extension Image {
  /// The pictures in a float32 tensor N×C×H×W: one channel is grey, three are red, green and blue.
  ///
  /// The ends of `range` become 0 and 255, values beyond them too; half units go to the even side, as in diffusers'
  /// `(images * 255).round()`. Throws ``NonFiniteError`` when a value is infinite or not a number.
  public static func pictures(
    of tensor: Tensor, range: ClosedRange<Float> = 0...1
  ) throws(NonFiniteError) -> [Image] {
    require(
      tensor.rank == 4 && [1, 3].contains(tensor.shape[1]) && tensor.shape[2] > 0 && tensor.shape[3] > 0,
      "pictures are N×1×H×W or N×3×H×W, the tensor has shape \(tensor.shape)")
    require(range.lowerBound < range.upperBound, "the range \(range) has no extent")
    let values = tensor.values()
    if let position = values.firstIndex(where: { !$0.isFinite }) {
      throw NonFiniteError(values[position], at: position, of: tensor.shape)
    }
    let (channels, height, width) = (tensor.shape[1], tensor.shape[2], tensor.shape[3])
    let extent = range.upperBound - range.lowerBound
    return (0..<tensor.shape[0]).map { index in
      Image(width: width, height: height, model: channels == 1 ? .grey : .rgb) { target in
        for channel in 0..<channels {
          let plane = (index * channels + channel) * width * height
          for position in 0..<width * height {
            let share = min(max((values[plane + position] - range.lowerBound) / extent, 0), 1)
            target[position * channels + channel] = UInt8((share * 255).rounded(.toNearestOrEven))
          }
        }
      }
    }
  }
}
