import Foundation
import Testing

@testable import AviaryVision

@Suite("Animated PNG")
struct AnimatedPNGTests {
  private func picture(_ value: UInt8) -> Image {
    Image(width: 7, height: 5, model: .rgb, pixels: Array(repeating: value, count: 105))
  }

  @Test(
    "other programs see the first picture; the parts are those of the specification, numbered without a gap")
  func parts() throws {
    let frames = [10, 200, 90].map { AnimatedPNG.Frame(picture($0), milliseconds: 300) }
    let bytes = try AnimatedPNG(frames).fileBytes()
    #expect(try Image(decoding: bytes, named: "x") == picture(10))
    var (types, numbers, place): ([String], [Int], Int) = ([], [], 8)
    while place < bytes.count {
      let length = bytes[place..<place + 4].reduce(0) { $0 << 8 | Int($1) }
      let type = String(decoding: bytes[place + 4..<place + 8], as: UTF8.self)
      if ["fcTL", "fdAT"].contains(type) {
        numbers.append(bytes[place + 8..<place + 12].reduce(0) { $0 << 8 | Int($1) })
      }
      types.append(type)
      place += 12 + length
    }
    #expect(types == ["IHDR", "acTL", "fcTL", "IDAT", "fcTL", "fdAT", "fcTL", "fdAT", "IEND"])
    #expect(numbers == Array(0..<5))
  }
}
