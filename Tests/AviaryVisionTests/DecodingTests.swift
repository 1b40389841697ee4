import AviaryVision
import Foundation
import Testing

@Suite struct DecodingTests {
  @Test(arguments: Expected.shared.decoded)
  func equalsPillow(expected: Expected.Picture) throws {
    let image = try Image(contentsOf: Expected.path(of: expected.file))
    let isEqual = image == expected.image  // outside the macro, which would print every pixel
    #expect(isEqual, "\(difference(image, expected.image))")
  }

  @Test func namesWhatIsMissing() {
    #expect(throws: ImageError(file: "/nowhere/a.png", .unreadable("No such file or directory"))) {
      try Image(contentsOf: "/nowhere/a.png")
    }
  }

  @Test func refusesOtherFormats() {
    let failure = ImageError(file: "a.avif", .unknownFormat)
    #expect(throws: failure) { try Image(decoding: Array("....ftypavif".utf8), named: "a.avif") }
    #expect(throws: ImageError(file: "empty", .unknownFormat)) { try Image(decoding: [], named: "empty") }
    #expect(
      failure.description == "cannot read a.avif: it is no PNG, JPEG, WebP, GIF, BMP or TIFF picture")
  }

  @Test func refusesEnormousPNG() throws {
    var bytes = try Expected.bytes(of: "rgb8.png")
    // 16 384 × 16 385 pixels, with the checksum of that header.
    bytes.replaceSubrange(16..<24, with: [0, 0, 0x40, 0, 0, 0, 0x40, 1])
    bytes.replaceSubrange(29..<33, with: crc(bytes[12..<29]))
    #expect(throws: ImageError(file: "bomb.png", .tooLarge(width: 16384, height: 16385))) {
      try Image(decoding: bytes, named: "bomb.png")
    }
  }

  @Test func refusesPNGTooShortForItsSize() throws {
    var bytes = try Expected.bytes(of: "rgb8.png")
    bytes.replaceSubrange(16..<24, with: [0, 0, 0x40, 0, 0, 0, 0x40, 0])
    bytes.replaceSubrange(29..<33, with: crc(bytes[12..<29]))
    let problem = ImageError.Problem.damaged("\(bytes.count) bytes are too few for 16384×16384 pixels")
    #expect(throws: ImageError(file: "bomb.png", problem)) { try Image(decoding: bytes, named: "bomb.png") }
  }

  @Test func refusesEnormousJPEG() throws {
    var bytes = try Expected.bytes(of: "rgb420.jpg")
    let header = try #require(bytes.indices.first { bytes[$0] == 0xFF && bytes[$0 + 1] == 0xC0 })
    bytes.replaceSubrange(header + 5..<header + 9, with: [0xFF, 0xDC, 0xFF, 0xDC])
    #expect(throws: ImageError(file: "bomb.jpg", .tooLarge(width: 65500, height: 65500))) {
      try Image(decoding: bytes, named: "bomb.jpg")
    }
  }
}

@Suite struct DamagedFileTests {
  static let files = [
    "rgb8.png", "grey1_interlaced.png", "palette4.png", "rgba16.png", "rgb420.jpg", "progressive.jpg",
    "cmyk.jpg",
    "orientation6.jpg", "restarts.jpg", "exif_profile.png", "exif_late.png", "lossy.webp", "lossless.webp",
    "film.webp", "exif.webp", "interlaced.gif", "placed.gif", "film.gif", "rgb24.bmp", "palette4.bmp",
    "runs8.bmp",
    "rgba32.bmp", "lzw.tif", "rgba.tif", "fax.tif", "big.tif", "xmp.tif",
  ]

  /// Every prefix of a file either fails with an error that names it, or still holds the whole picture.
  @Test(arguments: files)
  func truncated(file: String) throws {
    let bytes = try Expected.bytes(of: file)
    let whole = try Image(decoding: bytes, named: file)
    for count in 0..<bytes.count {
      do throws(ImageError) {
        let image = try Image(decoding: Array(bytes[..<count]), named: file)
        #expect(image == whole, "the first \(count) bytes of \(file) decoded to another picture")
      } catch {
        #expect(error.file == file)
      }
    }
  }

  /// A changed bit gives an error that names the file or some picture, never a crash.
  @Test(arguments: files)
  func flippedBits(file: String) throws {
    let bytes = try Expected.bytes(of: file)
    for position in bytes.indices {
      var changed = bytes
      changed[position] ^= 1 << UInt8((position * 5 + 3) % 8)
      do throws(ImageError) {
        let image = try Image(decoding: changed, named: file)
        #expect(image.pixels.count == image.width * image.height * image.channelCount)
      } catch {
        #expect(error.file == file)
      }
    }
  }

  @Test func truncationIsReported() throws {
    for file in [
      "rgb420.jpg", "progressive.jpg", "rgb8.png", "lossy.webp", "rows.gif", "runs8.bmp", "lzw.tif",
    ] {
      let bytes = try Expected.bytes(of: file)
      let error = #expect(throws: ImageError.self) {
        try Image(decoding: Array(bytes[..<(bytes.count * 3 / 4)]), named: file)
      }
      guard case .damaged = error?.problem else {
        Issue.record("\(file): \(String(describing: error))")
        continue
      }
    }
  }
}
