import AviaryTensors

/// A picture of 8-bit values, row by row, the channels of a pixel side by side (H×W×C).
public struct Image: Sendable, Hashable {
  /// What the channels of a pixel mean.
  public enum Model: String, Sendable, Hashable, Codable {
    /// One brightness.
    case grey
    /// Red, green and blue.
    case rgb

    /// Values of one pixel.
    public var channelCount: Int {
      switch self {
      case .grey: 1
      case .rgb: 3
      }
    }
  }

  /// The largest picture that is read: a small file can claim any size.
  public static let maximumPixelCount = 1 << 28

  /// In pixels.
  public let width: Int
  /// In pixels.
  public let height: Int
  /// What the values of a pixel are.
  public let model: Model
  /// `height * width * channelCount` values in 0...255.
  public var pixels: [UInt8] {
    didSet { require(pixels.count == oldValue.count, "a picture keeps its number of values") }
  }

  /// Values of one pixel.
  public var channelCount: Int { model.channelCount }

  /// A picture of values in the order of ``pixels``, of which there must be `height * width * channelCount`.
  public init(width: Int, height: Int, model: Model, pixels: [UInt8]) {
    require(width > 0 && height > 0, "a picture of \(width)×\(height) pixels has none")
    require(
      pixels.count == width * height * model.channelCount,
      "\(pixels.count) values given for \(width)×\(height) \(model.rawValue) pixels")
    self.width = width
    self.height = height
    self.model = model
    self.pixels = pixels
  }

  /// Pixels written by `body`, which must fill all of them.
  init(
    width: Int, height: Int, model: Model, filledBy body: (UnsafeMutableBufferPointer<UInt8>) throws -> Void
  ) rethrows {
    let count = width * height * model.channelCount
    let pixels = try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      try body(UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
      initialized = count
    }
    self.init(width: width, height: height, model: model, pixels: pixels)
  }

  /// The value of one channel at column `x` and row `y`.
  public subscript(x: Int, y: Int, channel: Int = 0) -> UInt8 {
    get { pixels[index(x, y, channel)] }
    set { pixels[index(x, y, channel)] = newValue }
  }

  private func index(_ x: Int, _ y: Int, _ channel: Int) -> Int {
    require(
      (0..<width).contains(x) && (0..<height).contains(y) && (0..<channelCount).contains(channel),
      "no channel \(channel) at (\(x), \(y)) in \(width)×\(height) \(model.rawValue) pixels")
    return (y * width + x) * channelCount + channel
  }
}

extension Image {
  /// The same picture in the other colour model.
  ///
  /// Grey is the luma of ITU-R BT.601, 0.299 R + 0.587 G + 0.114 B, in Pillow's 16-bit fixed point.
  public func converted(to model: Model) -> Image {
    switch (self.model, model) {
    case (.grey, .grey), (.rgb, .rgb): self
    case (.grey, .rgb):
      Image(width: width, height: height, model: .rgb) { target in
        for (index, value) in pixels.enumerated() {
          target[3 * index] = value
          target[3 * index + 1] = value
          target[3 * index + 2] = value
        }
      }
    case (.rgb, .grey):
      Image(width: width, height: height, model: .grey) { target in
        for index in target.indices {
          let red = Int(pixels[3 * index]) * 19595
          let green = Int(pixels[3 * index + 1]) * 38470
          let blue = Int(pixels[3 * index + 2]) * 7471
          target[index] = UInt8((red + green + blue + 0x8000) >> 16)
        }
      }
    }
  }

  /// The rectangle of `width`×`height` pixels whose top left corner is at column `x` and row `y`.
  ///
  /// What lies outside the picture is black, as when Pillow crops.
  public func cropped(x: Int, y: Int, width: Int, height: Int) -> Image {
    let channels = channelCount
    let columns = max(x, 0)..<max(min(x + width, self.width), max(x, 0))
    return Image(width: width, height: height, model: model) { target in
      target.update(repeating: 0)
      for row in max(y, 0)..<max(min(y + height, self.height), max(y, 0)) {
        let from = (row * self.width + columns.lowerBound) * channels
        let to = ((row - y) * width + columns.lowerBound - x) * channels
        let count = columns.count * channels
        _ = target[to..<to + count].update(fromContentsOf: pixels[from..<from + count])
      }
    }
  }
}
