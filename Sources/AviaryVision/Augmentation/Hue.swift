import AviaryTensors
import Foundation

extension Image {
  /// Hues moved around the circle by `shift` turns (-0.5...0.5), bit for bit as torchvision's `adjust_hue` of a Pillow picture: through 8-bit
  /// hue, saturation and value, which loses some. Grey pictures stay as they are.
  public func hue(_ shift: Float) -> Image {
    require((-0.5...0.5).contains(shift), "hues cannot be moved by \(shift) turns, at most by half a one")
    guard model == .rgb else { return self }
    let steps = UInt8(truncatingIfNeeded: Int(Double(shift) * 255))
    return Image(width: width, height: height, model: .rgb) { target in
      for start in stride(from: 0, to: pixels.count, by: 3) {
        var pixel = HSV(red: pixels[start], green: pixels[start + 1], blue: pixels[start + 2])
        pixel.hue &+= steps
        (target[start], target[start + 1], target[start + 2]) = pixel.rgb
      }
    }
  }
}

/// A pixel as Pillow's `HSV` has it, single and double precision mixed as there.
private struct HSV {
  var hue: UInt8
  let saturation: UInt8
  let value: UInt8

  init(red: UInt8, green: UInt8, blue: UInt8) {
    let (high, low) = (max(red, green, blue), min(red, green, blue))
    value = high
    guard high > low else {
      (hue, saturation) = (0, 0)
      return
    }
    let range = Float(high - low)
    func share(_ channel: UInt8) -> Float { Float(high - channel) / range }
    let sixths: Float =
      if red == high {
        share(blue) - share(green)
      } else if green == high {
        Float(2 + Double(share(red)) - Double(share(blue)))
      } else {
        Float(4 + Double(share(green)) - Double(share(red)))
      }
    let turns = Float((Double(sixths) / 6 + 1).truncatingRemainder(dividingBy: 1))
    hue = UInt8(Double(turns) * 255)
    saturation = UInt8(Double(range / Float(high)) * 255)
  }

  var rgb: (UInt8, UInt8, UInt8) {
    guard saturation > 0 else { return (value, value, value) }
    let sixths = Double(Float(hue) * 6) / 255
    let sector = Int(sixths)
    let rest = Float(sixths - Double(sector))
    let strength = Float(Double(saturation) / 255)
    func part(_ share: Double) -> UInt8 {
      UInt8(max(min((Double(value) * share).rounded(.toNearestOrAwayFromZero), 255), 0))
    }
    let low = part(1 - Double(strength))
    let falling = part(1 - Double(strength * rest))
    let rising = part(1 - Double(strength) * (1 - Double(rest)))
    switch sector % 6 {
    case 0: return (value, rising, low)
    case 1: return (falling, value, low)
    case 2: return (low, value, rising)
    case 3: return (low, falling, value)
    case 4: return (rising, low, value)
    default: return (value, low, falling)
    }
  }
}
