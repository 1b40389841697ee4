import AviaryTensors

/// A picture that should hold labels has a colour that stands for none.
public struct UnknownColour: Error, Hashable, CustomStringConvertible {
  /// The colour that the palette has not.
  public let colour: Colour
  /// The column of the first such pixel.
  public let x: Int
  /// The row of the first such pixel.
  public let y: Int

  public var description: String { "the colour \(colour) at (\(x), \(y)) stands for no label" }
}

extension LabelMap {
  /// The two classes of a mask: 1 where its brightness is at least `threshold`, 0 elsewhere.
  public init(mask: Image, threshold: UInt8 = 128) {
    let pixels = mask.converted(to: .grey).pixels
    self.init(width: mask.width, height: mask.height, labels: pixels.map { $0 >= threshold ? 1 : 0 })
  }

  /// The labels in a picture: the values of a grey one, the places in `palette` of the colours of another.
  ///
  /// PASCAL VOC's files of classes need ``Palette/voc``, since pictures with a palette are read as the colours that they show; without a
  /// palette, colours must be grey. Throws ``UnknownColour`` for a colour that is not among the palette's first 256.
  public init(_ picture: Image, palette: Palette = .grey) throws(UnknownColour) {
    guard picture.model == .rgb else {
      self.init(width: picture.width, height: picture.height, labels: picture.pixels)
      return
    }
    let known = Dictionary(
      zip(palette.colours, UInt8.min...UInt8.max), uniquingKeysWith: { first, _ in first })
    var labels: [UInt8] = []
    labels.reserveCapacity(picture.width * picture.height)
    for position in 0..<picture.width * picture.height {
      let pixel = picture.pixels[3 * position..<3 * position + 3]
      let colour = Colour(
        red: pixel[pixel.startIndex], green: pixel[pixel.startIndex + 1], blue: pixel[pixel.startIndex + 2])
      guard let label = known[colour] else {
        throw UnknownColour(colour: colour, x: position % picture.width, y: position / picture.width)
      }
      labels.append(label)
    }
    self.init(width: picture.width, height: picture.height, labels: labels)
  }

  /// A grey picture whose values are the labels, for other programs; the first classes are nearly black.
  public var picture: Image { Image(width: width, height: height, model: .grey, pixels: labels) }

  /// A grey picture in which the classes lie evenly between black and white: of two, the second is 255. Labels above them are white.
  public func mask(classCount: Int = 2) -> Image {
    require((2...256).contains(classCount), "a mask of \(classCount) classes")
    let last = classCount - 1
    let brightness = (0...255).map { UInt8((2 * 255 * min($0, last) + last) / (2 * last)) }
    return Image(width: width, height: height, model: .grey, pixels: labels.map { brightness[Int($0)] })
  }

  /// A picture of the labels' colours.
  public func coloured(_ palette: Palette = .voc) -> Image {
    Image(width: width, height: height, model: .rgb) { target in
      for (position, label) in labels.enumerated() {
        let colour = palette[Int(label)]
        target[3 * position] = colour.red
        target[3 * position + 1] = colour.green
        target[3 * position + 2] = colour.blue
      }
    }
  }
}
