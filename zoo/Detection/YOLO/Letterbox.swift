import AviaryTensors
import AviaryVision

/// How ultralytics brings pictures to a network's size: proportions are kept, and grey fills what is left.
struct Letterbox: Sendable {
  /// The side of the square that pictures are made to fit.
  let side: Int
  /// Whether the grey is no more than sides of a multiple of ``step`` need, or makes a square.
  let isTight: Bool
  var resampling = Resampling.antialiased

  /// How values between pixels are found.
  enum Resampling: String, CaseIterable {
    /// Over the area that a new pixel covers, as everywhere else in this library.
    case antialiased
    /// Between the two nearest pixels of each axis, as OpenCV does for ultralytics.
    case linear
  }

  /// What the sides are multiples of: the pixels of a place of the coarsest map.
  static let step = 32
  private static let grey: UInt8 = 114

  /// Where a picture of some size lies in the network's.
  struct Place: Hashable {
    /// The network's picture.
    var width: Int
    var height: Int
    /// What is to be seen in it, and where that begins.
    let innerWidth: Int
    let innerHeight: Int
    var left: Int
    var top: Int
  }

  /// The place of a picture of `width`×`height` pixels that goes through the network alone, or beside others of its size.
  func place(width: Int, height: Int, isTight: Bool) -> Place {
    let ratio = min(Double(side) / Double(width), Double(side) / Double(height))
    func scaled(_ length: Int) -> Int {
      min(max(Int((Double(length) * ratio).rounded(.toNearestOrEven)), 1), side)
    }
    let (innerWidth, innerHeight) = (scaled(width), scaled(height))
    func border(_ inner: Int) -> (total: Int, before: Int) {
      let total = isTight ? (side - inner) % Self.step : side - inner
      return (total, Int((Double(total) / 2 - 0.1).rounded(.toNearestOrEven)))
    }
    let (x, y) = (border(innerWidth), border(innerHeight))
    return Place(
      width: innerWidth + x.total, height: innerHeight + y.total, innerWidth: innerWidth,
      innerHeight: innerHeight, left: x.before, top: y.before)
  }

  /// The places of pictures that go through the network together: in squares unless they are of one size.
  func places(_ sizes: [(width: Int, height: Int)]) -> [Place] {
    let isTight = isTight && sizes.allSatisfy { $0 == sizes[0] }
    return sizes.map { place(width: $0.width, height: $0.height, isTight: isTight) }
  }

  /// Pictures N×3×H×W with values from 0 to 1.
  func callAsFunction(_ images: [Image]) -> Tensor {
    let places = places(images.map { ($0.width, $0.height) })
    let (width, height) = (places[0].width, places[0].height)
    return Tensor(shape: [images.count, 3, height, width], dtype: .float32) { bytes in
      let values = bytes.bindMemory(to: Float.self)
      for (number, (image, place)) in zip(images, places).enumerated() {
        let inner = resized(image.converted(to: .rgb), place)
        for channel in 0..<3 {
          let start = (3 * number + channel) * width * height
          for index in 0..<width * height { values[start + index] = Float(Self.grey) / 255 }
          for y in 0..<place.innerHeight {
            for x in 0..<place.innerWidth {
              values[start + (y + place.top) * width + x + place.left] =
                Float(inner[3 * (y * place.innerWidth + x) + channel]) / 255
            }
          }
        }
      }
    }
  }

  /// A picture in colours and all that is known of it in the square, grey around it.
  func framed(_ picture: AnnotatedPicture) -> AnnotatedPicture {
    let place = place(width: picture.image.width, height: picture.image.height, isTight: isTight)
    var colours = picture
    colours.image = picture.image.converted(to: .rgb)
    let inner = colours.resized(width: place.innerWidth, height: place.innerHeight)
    if (place.width, place.height) == (place.innerWidth, place.innerHeight) { return inner }
    return inner.cropped(x: -place.left, y: -place.top, width: place.width, height: place.height)
      .filled(
        Self.grey, outside: place.left..<place.left + place.innerWidth,
        place.top..<place.top + place.innerHeight)
  }

  private func resized(_ image: Image, _ place: Place) -> [UInt8] {
    let (width, height) = (place.innerWidth, place.innerHeight)
    return resampling == .linear
      ? image.linearlyResized(width: width, height: height)
      : image.resized(width: width, height: height, .bilinear).pixels
  }
}

extension AnnotatedPicture {
  /// The same with one grey in all columns and rows but these; the picture is one in colours.
  func filled(_ grey: UInt8, outside columns: Range<Int>, _ rows: Range<Int>) -> AnnotatedPicture {
    var result = self
    var pixels = image.pixels
    for y in 0..<image.height {
      for x in 0..<image.width where !(rows.contains(y) && columns.contains(x)) {
        for channel in 0..<3 { pixels[3 * (y * image.width + x) + channel] = grey }
      }
    }
    result.image = Image(width: image.width, height: image.height, model: .rgb, pixels: pixels)
    return result
  }
}

extension Letterbox.Place {
  /// A box in pixels of the network's picture as one in pixels of the picture of this size.
  func box(_ box: Box, of size: (width: Int, height: Int)) -> Box {
    let gain = (x: Float(innerWidth) / Float(size.width), y: Float(innerHeight) / Float(size.height))
    let (left, top) = (Float(left), Float(top))
    return Box(
      x1: (box.x1 - left) / gain.x, y1: (box.y1 - top) / gain.y, x2: (box.x2 - left) / gain.x,
      y2: (box.y2 - top) / gain.y)
  }
}

extension Image {
  /// The bytes of the picture at another size, linear between the two nearest pixels of each axis, whatever it shrinks by: OpenCV's
  /// `INTER_LINEAR` with its eleven fractional bits, and its mean of four where both sides are halved.
  fileprivate func linearlyResized(width newWidth: Int, height newHeight: Int) -> [UInt8] {
    if (newWidth, newHeight) == (width, height) { return pixels }
    if width == 2 * newWidth, height == 2 * newHeight { return halved() }
    let columns = Self.taps(from: width, to: newWidth)
    let rows = Self.taps(from: height, to: newHeight)
    let length = 3 * newWidth
    func row(_ y: Int) -> [Int32] {
      var result = [Int32](repeating: 0, count: length)
      for (x, tap) in columns.enumerated() {
        for channel in 0..<3 {
          let low = Int32(pixels[3 * (y * width + tap.low) + channel])
          let high = Int32(pixels[3 * (y * width + tap.high) + channel])
          result[3 * x + channel] = low * tap.lowShare + high * tap.highShare
        }
      }
      return result
    }
    var known: [Int: [Int32]] = [:]
    var result = [UInt8](repeating: 0, count: length * newHeight)
    for (y, tap) in rows.enumerated() {
      known = known.filter { $0.key >= tap.low }
      for source in [tap.low, tap.high] where known[source] == nil { known[source] = row(source) }
      let (low, high) = (known[tap.low]!, known[tap.high]!)
      for x in 0..<length {
        let sum = ((tap.lowShare * (low[x] >> 4)) >> 16) + ((tap.highShare * (high[x] >> 4)) >> 16)
        result[y * length + x] = UInt8(min(max((sum + 2) >> 2, 0), 255))
      }
    }
    return result
  }

  private struct Tap {
    let low: Int
    let high: Int
    let lowShare: Int32
    let highShare: Int32
  }

  private static func taps(from old: Int, to new: Int) -> [Tap] {
    let scale = Double(old) / Double(new)
    return (0..<new).map { position in
      let place = Float((Double(position) + 0.5) * scale - 0.5)
      let low = Int(place.rounded(.down))
      var share = place - Float(low)
      if low < 0 || low >= old - 1 { share = 0 }
      let first = min(max(low, 0), old - 1)
      let high = Int32((share * 2048).rounded(.toNearestOrEven))
      return Tap(
        low: first, high: min(first + 1, old - 1),
        lowShare: Int32(((1 - share) * 2048).rounded(.toNearestOrEven)), highShare: high)
    }
  }

  private func halved() -> [UInt8] {
    var result = [UInt8](repeating: 0, count: pixels.count / 4)
    for y in 0..<height / 2 {
      for x in 0..<width / 2 {
        for channel in 0..<3 {
          let start = 3 * (2 * y * width + 2 * x) + channel
          let sum =
            Int(pixels[start]) + Int(pixels[start + 3]) + Int(pixels[start + 3 * width])
            + Int(pixels[start + 3 * width + 3])
          result[3 * (y * (width / 2) + x) + channel] = UInt8((sum + 2) >> 2)
        }
      }
    }
    return result
  }
}
