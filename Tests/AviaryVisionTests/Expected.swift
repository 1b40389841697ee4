import AviaryVision
import Foundation
import Testing

/// What Pillow, torchvision and Keras made of the fixtures; written by `tools/reference/image_fixtures.py`.
struct Expected: Decodable {
  struct Picture: Decodable, CustomTestStringConvertible {
    let file: String
    let interpolation: Interpolation?
    let width: Int
    let height: Int
    let channels: Int
    let pixels: Data

    var image: Image {
      Image(width: width, height: height, model: channels == 1 ? .grey : .rgb, pixels: Array(pixels))
    }
    var testDescription: String { "\(file) \(interpolation?.rawValue ?? "") \(width)×\(height)" }
  }

  struct Input: Decodable, CustomTestStringConvertible {
    let file: String
    let preset: String
    let shape: [Int]
    let values: Data

    var testDescription: String { preset }
  }

  struct Asset: Decodable {
    let file: String
    let width: Int
    let height: Int
    let channels: Int
    let pixels: UInt32
    let resized: UInt32
  }

  let decoded: [Picture]
  let resized: [Picture]
  let preprocessed: [Input]
  let assets: [Asset]

  static let shared = try! JSONDecoder().decode(
    Expected.self, from: Data(contentsOf: URL(fileURLWithPath: path(of: "expected.json"))))

  static func path(of file: String) -> String {
    Bundle.module.bundleURL.appendingPathComponent("Fixtures").appendingPathComponent(file).path
  }

  static func bytes(of file: String) throws -> [UInt8] {
    try Array(Data(contentsOf: URL(fileURLWithPath: path(of: file))))
  }
}

/// The checksum of zlib's `adler32`.
func adler32(_ bytes: [UInt8]) -> UInt32 {
  var (a, b): (UInt32, UInt32) = (1, 0)
  for byte in bytes {
    a = (a + UInt32(byte)) % 65521
    b = (b + a) % 65521
  }
  return b << 16 | a
}

/// How two equally large pictures differ, for messages.
func difference(_ a: Image, _ b: Image) -> String {
  guard a.width == b.width, a.height == b.height, a.model == b.model else {
    return "\(a.width)×\(a.height) \(a.model) instead of \(b.width)×\(b.height) \(b.model)"
  }
  let differences = zip(a.pixels, b.pixels).map { abs(Int($0) - Int($1)) }
  let different = differences.count { $0 > 0 }
  return "\(different) of \(differences.count) values differ, by at most \(differences.max() ?? 0)"
}

/// The checksum of a PNG chunk, big-endian.
func crc(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
  var state: UInt32 = ~0
  for byte in bytes {
    state ^= UInt32(byte)
    for _ in 0..<8 { state = (state >> 1) ^ (state & 1) &* 0xEDB8_8320 }
  }
  return (0..<4).map { UInt8(truncatingIfNeeded: ~state >> UInt32(24 - 8 * $0)) }
}
