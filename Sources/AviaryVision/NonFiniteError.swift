/// Values that were to become a picture or labels are infinite or not numbers.
public struct NonFiniteError: Error, Hashable, CustomStringConvertible {
  /// Which picture of the batch, from 0.
  public let picture: Int
  /// The channel of the first such value.
  public let channel: Int
  /// The column of the first such value.
  public let x: Int
  /// The row of the first such value.
  public let y: Int
  /// Whether it is not a number; infinite otherwise.
  public let isNaN: Bool

  /// About the value at `position` of an N×C×H×W tensor of this shape, in row-major order.
  init(_ value: Float, at position: Int, of shape: [Int]) {
    let (channels, height, width) = (shape[1], shape[2], shape[3])
    x = position % width
    y = position / width % height
    channel = position / (width * height) % channels
    picture = position / (width * height * channels)
    isNaN = value.isNaN
  }

  public var description: String {
    "the value of channel \(channel) at (\(x), \(y)) of picture \(picture) is \(isNaN ? "not a number" : "infinite")"
  }
}
