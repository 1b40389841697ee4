import AviaryVision
import Foundation
import Testing

/// Photographs that are too large for the repository: the folder that `AVIARY_ASSETS` names holds them.
@Suite struct AssetTests {
  static let assets = ProcessInfo.processInfo.environment["AVIARY_ASSETS"]

  @Test(.enabled(if: assets != nil, "AVIARY_ASSETS names no folder"))
  func photographsEqualPillow() throws {
    let folder = try #require(Self.assets) + "/images/"
    for asset in Expected.shared.assets {
      let image = try Image(contentsOf: folder + asset.file)
      #expect(image.width == asset.width && image.height == asset.height)
      #expect(image.channelCount == asset.channels)
      #expect(adler32(image.pixels) == asset.pixels, "\(asset.file) as decoded")
      let preprocessing = Preprocessing(
        resize: .shortSide(256), crop: 224, channels: image.model == .grey ? .grey : .rgb)
      #expect(
        adler32(preprocessing.framed(image).pixels) == asset.resized, "\(asset.file) as a network sees it")
    }
  }
}
