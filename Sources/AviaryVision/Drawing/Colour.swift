/// A colour of 8 bits per channel.
public struct Colour: Sendable, Hashable, Codable {
  /// In 0...255.
  public var red: UInt8
  /// In 0...255.
  public var green: UInt8
  /// In 0...255.
  public var blue: UInt8

  /// A colour of three channels.
  public init(red: UInt8, green: UInt8, blue: UInt8) {
    self.red = red
    self.green = green
    self.blue = blue
  }

  /// A grey of one brightness.
  public init(grey: UInt8) { self.init(red: grey, green: grey, blue: grey) }

  /// No light.
  public static let black = Colour(grey: 0)
  /// All light.
  public static let white = Colour(grey: 255)

  /// Black or white, whichever is read better on this colour.
  var ink: Colour {
    let pixel = Image(width: 1, height: 1, model: .rgb, pixels: [red, green, blue])
    return pixel.converted(to: .grey).pixels[0] < 128 ? .white : .black
  }
}

extension Colour: CustomStringConvertible {
  public var description: String { "(\(red), \(green), \(blue))" }
}
