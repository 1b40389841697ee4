import AviaryTensors
import AviaryVision
import Foundation
import Testing

/// What torchvision and Pillow made of small pictures; written by `tools/reference/augmentation_fixtures.py`.
private struct AugmentationFixture: Decodable {
  struct Picture: Decodable {
    let width: Int
    let height: Int
    let channels: Int
    let pixels: Data

    var image: Image {
      Image(width: width, height: height, model: channels == 1 ? .grey : .rgb, pixels: Array(pixels))
    }
  }

  struct Change: Decodable, CustomTestStringConvertible {
    let name: String
    let source: String
    let arguments: [Double]
    let mode: Interpolation
    let width: Int
    let height: Int
    let channels: Int
    let pixels: Data

    var image: Image { Picture(width: width, height: height, channels: channels, pixels: pixels).image }
    var testDescription: String { "\(name) \(arguments) \(mode.rawValue) of \(source)" }
  }

  let source: [String: Picture]
  let changes: [Change]

  static let shared = try! JSONDecoder().decode(
    AugmentationFixture.self,
    from: Data(contentsOf: URL(fileURLWithPath: Expected.path(of: "augmentation.json"))))
}

@Suite("Changes of pictures, bit for bit as torchvision makes them of Pillow pictures")
struct AugmentationFixtureTests {
  @Test("each change of each picture is exact")
  func exact() throws {
    let fixture = AugmentationFixture.shared
    #expect(fixture.changes.count > 250)
    for change in fixture.changes {
      let source = try #require(fixture.source[change.source]).image
      let result = try changed(source, by: change)
      #expect(
        result == change.image, "\(change.testDescription): \(difference(result, change.image))")
    }
  }

  private func changed(_ image: Image, by change: AugmentationFixture.Change) throws -> Image {
    let numbers = change.arguments
    let whole = numbers.map { Int($0) }
    let middle = (Double(image.width) / 2, Double(image.height) / 2)
    switch change.name {
    case "flipHorizontally": return image.flippedHorizontally
    case "flipVertically": return image.flippedVertically
    case "crop": return image.cropped(x: whole[0], y: whole[1], width: whole[2], height: whole[3])
    case "resizedCrop":
      return image.cropped(x: whole[0], y: whole[1], width: whole[2], height: whole[3])
        .resized(width: whole[4], height: whole[5])
    case "brightness": return image.brightness(Float(numbers[0]))
    case "contrast": return image.contrast(Float(numbers[0]))
    case "saturation": return image.saturation(Float(numbers[0]))
    case "sharpness": return image.sharpness(Float(numbers[0]))
    case "hue": return image.hue(Float(numbers[0]))
    case "solarize": return image.solarized(threshold: Float(numbers[0]))
    case "posterize": return image.posterized(bits: whole[0])
    case "autocontrast": return image.autocontrasted
    case "equalize": return image.equalized
    case "erase":
      return image.erased(
        x: whole[0], y: whole[1], width: whole[2], height: whole[3], value: UInt8(whole[4]))
    case "rotate":
      return image.transformed(
        by: .rotationInverse(degrees: numbers[0], centre: middle), change.mode, fill: UInt8(whole[1]))
    case "affine":
      return image.transformed(
        by: .inverse(
          degrees: numbers[0], translation: (numbers[1], numbers[2]), scale: numbers[3],
          shear: (numbers[4], numbers[5]), centre: middle), change.mode)
    default:
      let name = try #require(change.name.split(separator: " ").last).description
      let kind = try #require(
        RandAugment.Change.allCases.first { $0.rawValue.lowercased() == name.lowercased() }
          ?? (name == "Color" ? .colour : nil))
      return RandAugment(magnitude: whole[0]).applied(
        kind, to: AnnotatedPicture(image: image), isNegative: whole[1] == 1
      ).image
    }
  }
}
