import AviaryVision
import Foundation
import Testing

@Suite struct ResamplingTests {
  @Test(arguments: Expected.shared.resized)
  func equalsPillow(expected: Expected.Picture) throws {
    let source = try #require(Expected.shared.decoded.first { $0.file == expected.file }).image
    let interpolation = try #require(expected.interpolation)
    let image = source.resized(width: expected.width, height: expected.height, interpolation)
    let isEqual = image == expected.image  // outside the macro, which would print every pixel
    #expect(isEqual, "\(difference(image, expected.image))")
  }

  @Test func sameSizeChangesNothing() throws {
    let image = try Image(contentsOf: Expected.path(of: "rgb420.jpg"))
    for interpolation in Interpolation.allCases {
      #expect(image.resized(width: image.width, height: image.height, interpolation) == image)
    }
  }
}

@Suite struct PreprocessingTests {
  @Test(arguments: Expected.shared.preprocessed)
  func equalsReference(expected: Expected.Input) throws {
    let presets: [String: Preprocessing] = [
      "torchvision": .torchvision, "caffe": .caffe, "tf": .tf, "digits": .digits,
    ]
    var preprocessing = try #require(presets[expected.preset])
    if expected.preset != "digits" { preprocessing = preprocessing.sized(resize: .shortSide(32), crop: 24) }
    let input = preprocessing(try Image(contentsOf: Expected.path(of: expected.file)))
    #expect(input.shape == expected.shape)
    let values = expected.values.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
    #expect(input.values() == values)
  }

  @Test func sizesFollowTorchvision() throws {
    let wide = Image(width: 500, height: 333, model: .rgb, pixels: Array(repeating: 7, count: 500 * 333 * 3))
    let framed = Preprocessing(resize: .shortSide(256)).framed(wide)
    #expect(framed.width == 384 && framed.height == 256)  // 500 · 256 / 333 = 384.38…
  }

  /// A picture of 3×4 pixels in a square of 6: one black column and row fewer before than after, at most.
  @Test func smallPicturesGetABorder() {
    let image = Image(width: 3, height: 4, model: .grey, pixels: Array(repeating: 9, count: 12))
    let framed = Preprocessing(crop: 6, channels: .grey).framed(image)
    let rows = (0..<6).map { y in (0..<6).map { framed[$0, y] } }
    let empty = [UInt8](repeating: 0, count: 6)
    let filled: [UInt8] = [0, 9, 9, 9, 0, 0]
    #expect(rows == [empty, filled, filled, filled, filled, empty])
  }

  @Test func batches() throws {
    let image = try Image(contentsOf: Expected.path(of: "rgb420.jpg"))
    let other = image.resized(width: 40, height: 30)
    let preprocessing = Preprocessing.torchvision.sized(resize: .exact(width: 8, height: 6), crop: nil)
    let batch = preprocessing([image, other])
    #expect(batch.shape == [2, 3, 6, 8])
    #expect(batch.values() == preprocessing(image).values() + preprocessing(other).values())
  }

  @Test func survivesJSON() throws {
    let presets = [Preprocessing.torchvision, .caffe, .tf, .digits, Preprocessing(resize: .none)]
    let data = try JSONEncoder().encode(presets)
    #expect(try JSONDecoder().decode([Preprocessing].self, from: data) == presets)
  }
}
