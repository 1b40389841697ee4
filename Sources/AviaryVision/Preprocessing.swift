import AviaryTensors

/// What turns a picture into a network's input: resize, crop, order the channels, scale.
///
/// Sizes and rounding are those of torchvision's `Resize`, `CenterCrop`, `ToTensor` and `Normalize` on Pillow pictures.
public struct Preprocessing: Sendable, Hashable, Codable {
  /// How the size changes before the crop.
  public enum Resize: Sendable, Hashable, Codable {
    /// The picture stays as large as it is.
    case none
    /// The shorter side becomes this long and the longer one keeps the proportions, rounded down.
    case shortSide(Int)
    /// Both sides become this long, whatever the proportions.
    case exact(width: Int, height: Int)
  }

  /// The order of a pixel's channels in the tensor.
  public enum Channels: String, Sendable, Hashable, Codable {
    /// Red first.
    case rgb
    /// Blue first, as Caffe reads pictures.
    case bgr
    /// One brightness.
    case grey

    /// Channels of the tensor.
    public var count: Int { self == .grey ? 1 : 3 }
  }

  /// What happens to half pixels: of the long side after a resize, and where the middle begins.
  public enum Rounding: String, Sendable, Hashable, Codable {
    /// torchvision: the long side down, the crop's start to the even side.
    case torchvision
    /// The long side to the nearest, the crop's start down: how Keras' published accuracies are commonly measured.
    case nearest
  }

  /// Whose mean and deviation the values of each channel are brought to 0 and 1 by.
  public enum Statistics: String, Sendable, Hashable, Codable {
    /// Those that are given, the same for all pictures.
    case fixed
    /// Those of the picture itself, after resize and crop; a channel of one value becomes 0.
    case picture
  }

  /// What comes first.
  public var resize: Resize
  /// How half pixels count in sizes and places.
  public var rounding = Rounding.torchvision
  /// How a resize finds values between pixels.
  public var interpolation: Interpolation
  /// Side of the square cut from the middle; nil to keep everything. A smaller picture gets a black border.
  public var crop: Int?
  /// The channels of the tensor; pictures are converted where they have others.
  public var channels: Channels
  /// What 0...255 is divided by first.
  public var divisor: Float
  /// Whose mean and deviation come next: where they are the picture's, ``mean`` and ``std`` say nothing.
  public var statistics = Statistics.fixed
  /// Subtracted next, then divided by: one number per channel, in the tensor's order of channels.
  public var mean: [Float]
  /// What each channel is divided by last.
  public var std: [Float]

  /// Preprocessing by the properties of the same names; means of 0 and deviations of 1 where none are given.
  public init(
    resize: Resize = .none, interpolation: Interpolation = .bilinear, crop: Int? = nil,
    channels: Channels = .rgb, divisor: Float = 255, mean: [Float]? = nil, std: [Float]? = nil
  ) {
    self.resize = resize
    self.interpolation = interpolation
    self.crop = crop
    self.channels = channels
    self.divisor = divisor
    self.mean = mean ?? Array(repeating: 0, count: channels.count)
    self.std = std ?? Array(repeating: 1, count: channels.count)
  }

  /// The same with another treatment of half pixels.
  public func rounded(_ rounding: Rounding) -> Preprocessing {
    var copy = self
    copy.rounding = rounding
    return copy
  }

  /// The same numbers for pictures of another size.
  public func sized(resize: Resize, crop: Int?, interpolation: Interpolation? = nil) -> Preprocessing {
    var copy = self
    copy.resize = resize
    copy.crop = crop
    copy.interpolation = interpolation ?? self.interpolation
    return copy
  }
}

extension Preprocessing {
  /// torchvision's classifiers: short side 256, centre 224, ImageNet's mean and deviation of 0...1.
  public static let torchvision = Preprocessing(
    resize: .shortSide(256), crop: 224, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225])

  /// torchvision's second set of weights for many classifiers, trained at other sizes: short side 232.
  public static let torchvisionV2 = torchvision.sized(resize: .shortSide(232), crop: 224)

  /// Keras' mode `torch`: the numbers of ``torchvision``.
  public static let torch = torchvision

  /// Keras' mode `caffe` (VGG, ResNet v1): BGR, 0...255 minus ImageNet's mean.
  public static let caffe = Preprocessing(
    resize: .shortSide(256), crop: 224, channels: .bgr, divisor: 1, mean: [103.939, 116.779, 123.68])

  /// Keras' mode `tf` (MobileNet, Inception): -1...1.
  public static let tf = Preprocessing(
    resize: .shortSide(256), crop: 224, divisor: 127.5, mean: [1, 1, 1])

  /// Handwritten digits: grey, 28×28, 0...1.
  public static let digits = Preprocessing(
    resize: .exact(width: 28, height: 28), channels: .grey)
}

extension Preprocessing {
  /// The network's input 1×C×H×W for one picture.
  public func callAsFunction(_ image: Image) -> Tensor { self([image]) }

  /// The network's input N×C×H×W for pictures that have one size after resizing and cropping.
  public func callAsFunction(_ images: [Image]) -> Tensor {
    require(!images.isEmpty, "no picture was given")
    require(
      mean.count == channels.count && std.count == channels.count,
      "\(mean.count) means and \(std.count) deviations were given for \(channels.count) channels")
    let pictures = images.map(framed)
    let (width, height) = (pictures[0].width, pictures[0].height)
    let tables = (0..<channels.count).map { table(mean: mean[$0], deviation: std[$0]) }
    let size = width * height
    return Tensor(shape: [images.count, channels.count, height, width], dtype: .float32) { bytes in
      let values = bytes.bindMemory(to: Float.self)
      for (index, image) in pictures.enumerated() {
        require(
          image.width == width && image.height == height,
          "pictures of \(width)×\(height) and \(image.width)×\(image.height) pixels do not fit one batch")
        for channel in 0..<channels.count {
          let plane = (index * channels.count + channel) * size
          let source = channels == .bgr ? 2 - channel : channel
          let own = statistics == .picture ? ownTable(of: image, source) : nil
          image.pixels.withUnsafeBufferPointer { pixels in
            (own ?? tables[channel]).withUnsafeBufferPointer { table in
              for position in 0..<size {
                values[plane + position] = table[Int(pixels[position * channels.count + source])]
              }
            }
          }
        }
      }
    }
  }

  /// The picture after resizing and cropping, in the colour model the network takes: what the network sees.
  public func framed(_ image: Image) -> Image {
    let converted = image.converted(to: channels == .grey ? .grey : .rgb)
    let resized: Image
    switch resize {
    case .none: resized = converted
    case .exact(let width, let height):
      resized = converted.resized(width: width, height: height, interpolation)
    case .shortSide(let side):
      let source = converted.withoutExcess
      let (width, height) = size(ofShortSide: side, width: source.width, height: source.height)
      resized = source.resized(width: width, height: height, interpolation)
    }
    guard let crop else { return resized }
    return resized.centreCropped(to: crop, rounding)
  }

  /// What ``framed(_:)`` makes of a picture of `width`×`height` pixels: its size before the crop, and at the end.
  public func sizes(
    width: Int, height: Int
  ) -> (resized: (width: Int, height: Int), framed: (width: Int, height: Int)) {
    let resized: (width: Int, height: Int)
    switch resize {
    case .none: resized = (width, height)
    case .exact(let width, let height): resized = (width, height)
    case .shortSide(let side):
      let (width, height) = Image.sizeWithoutExcess(width: width, height: height)
      resized = size(ofShortSide: side, width: width, height: height)
    }
    return (resized, crop.map { ($0, $0) } ?? resized)
  }

  func size(ofShortSide side: Int, width: Int, height: Int) -> (width: Int, height: Int) {
    func long(_ long: Int, per short: Int) -> Int {
      let exact = Double(side * long) / Double(short)
      return max(Int(rounding == .nearest ? exact.rounded() : exact), 1)
    }
    return width <= height ? (side, long(height, per: width)) : (long(width, per: height), side)
  }

  /// The 256 values that a channel can take: each operation rounds to float32, as in the reference.
  private func table(mean: Float, deviation: Float) -> [Float] {
    (0..<256).map { (Float($0) / divisor - mean) / deviation }
  }

  /// The same by the mean and the deviation of a picture's own channel, which are sums over its 256 values.
  private func ownTable(of image: Image, _ channel: Int) -> [Float] {
    var counts = [Int](repeating: 0, count: 256)
    for place in stride(from: channel, to: image.pixels.count, by: channels.count) {
      counts[Int(image.pixels[place])] += 1
    }
    let total = Double(max(counts.reduce(0, +), 1))
    let mean = counts.enumerated().reduce(0) { $0 + Double($1.offset * $1.element) } / total
    let variance =
      counts.enumerated().reduce(0) {
        $0 + (Double($1.offset) - mean) * (Double($1.offset) - mean) * Double($1.element)
      } / total
    guard variance > 0 else { return [Float](repeating: 0, count: 256) }
    return (0..<256).map { Float((Double($0) - mean) / variance.squareRoot()) }
  }
}

extension Image {
  /// The square of `side` pixels in the middle; a picture that is too small gets a black border.
  ///
  /// Where the middle lies between two pixels, torchvision's rule decides: half pixels round to the even side, except
  /// that a border is wider at the end.
  func centreCropped(to side: Int, _ rounding: Preprocessing.Rounding = .torchvision) -> Image {
    let (x, y) = Self.centre(of: (width, height), side: side, rounding)
    return cropped(x: x, y: y, width: side, height: side)
  }

  /// Where that square begins.
  static func centre(
    of size: (width: Int, height: Int), side: Int, _ rounding: Preprocessing.Rounding
  ) -> (x: Int, y: Int) {
    func start(_ length: Int) -> Int {
      if length < side { return -((side - length) / 2) }
      if rounding == .nearest { return (length - side) / 2 }
      return Int((Double(length - side) / 2).rounded(.toNearestOrEven))
    }
    return (start(size.width), start(size.height))
  }

  /// The middle of a picture more than 64 times as long as wide, which a resize by its short side would make enormous.
  fileprivate var withoutExcess: Image {
    let (w, h) = Self.sizeWithoutExcess(width: width, height: height)
    if w == width && h == height { return self }
    return cropped(x: (width - w) / 2, y: (height - h) / 2, width: w, height: h)
  }

  static func sizeWithoutExcess(width: Int, height: Int) -> (width: Int, height: Int) {
    let longest = 64 * min(width, height)
    return (min(width, longest), min(height, longest))
  }
}
