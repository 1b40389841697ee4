import AviaryTensors

/// A colour per label.
public struct Palette: Sendable, Hashable {
  /// The colours of labels 0, 1, …
  public let colours: [Colour]

  /// A palette of at least one colour.
  public init(_ colours: [Colour]) {
    require(!colours.isEmpty, "a palette has at least one colour")
    self.colours = colours
  }

  /// The colour of a label; after the last one the colours begin again.
  public subscript(label: Int) -> Colour {
    let count = colours.count
    return colours[(label % count + count) % count]
  }
}

extension Palette {
  /// PASCAL VOC's 256 colours: 0 is black, 255 the border that is not counted.
  ///
  /// The three lowest bits of a label are the highest of red, green and blue, the next three the next (`VOClabelcolormap.m` in the
  /// development kit of VOC 2012).
  public static let voc = Palette(
    (0..<256).map { label in
      func channel(_ offset: Int) -> UInt8 {
        (0..<8).reduce(0) { $0 | UInt8(label >> (3 * $1 + offset) & 1) << UInt8(7 - $1) }
      }
      return Colour(red: channel(0), green: channel(1), blue: channel(2))
    })

  /// The 256 greys: a label's brightness is the label.
  public static let grey = Palette((0...255).map { Colour(grey: $0) })

  /// 256 bright colours of which neighbours differ much: each hue is a golden section of the circle after the last one.
  public static let hues = Palette(
    (0..<256).map { label in
      let turn = Float(label) * 0.618_034
      let hue = 6 * (turn - turn.rounded(.down))
      // From hue, saturation and value 1 to red, green and blue, which rise and fall along the circle a third apart.
      func channel(_ offset: Float) -> UInt8 {
        let place = (offset + hue).truncatingRemainder(dividingBy: 6)
        return UInt8((255 * (1 - 0.75 * max(0, min(place, 4 - place, 1)))).rounded())
      }
      return Colour(red: channel(5), green: channel(3), blue: channel(1))
    })
}
