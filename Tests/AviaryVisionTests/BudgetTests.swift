import Foundation
import Testing

@testable import AviaryVision

/// Small files that claim much: refused before they take it.
@Suite struct BudgetTests {
  /// A progressive grey JPEG of one value, made of zero bits alone: a DC scan, and `scans` that end all blocks in runs of 2¹⁴.
  private func progressive(side: Int, scans: Int, dataBytes: Int) -> [UInt8] {
    func segment(_ marker: UInt8, _ content: [UInt8]) -> [UInt8] {
      [0xFF, marker] + [UInt8((content.count + 2) >> 8), UInt8((content.count + 2) & 255)] + content
    }
    func table(_ kind: UInt8, _ symbol: UInt8) -> [UInt8] {
      segment(0xC4, [kind, 1] + [UInt8](repeating: 0, count: 15) + [symbol])
    }
    let extent = [UInt8(side >> 8), UInt8(side & 255)]
    var file: [UInt8] = [0xFF, 0xD8] + segment(0xDB, [0] + [UInt8](repeating: 1, count: 64))
    file += segment(0xC2, [8] + extent + extent + [1, 1, 0x11, 0]) + table(0, 0) + table(0x10, 0xE0)
    file += segment(0xDA, [1, 1, 0, 0, 0, 0]) + [UInt8](repeating: 0, count: dataBytes)
    let blocks = (side / 8) * (side / 8)
    for index in 0..<scans {
      let position = UInt8(1 + index % 63)
      file += segment(0xDA, [1, 1, 0, position, position, 0])
      file += [UInt8](repeating: 0, count: (blocks / (1 << 14) * 15 + 7) / 8)
    }
    return file + [0xFF, 0xD9]
  }

  @Test func smallFileWithFewScansIsRead() throws {
    let image = try Image(
      decoding: progressive(side: 1024, scans: 20, dataBytes: 2048), named: "a.jpg")
    #expect(image.width == 1024 && image.model == .grey && image[5, 7] == 128)
  }

  @Test func refusesEnormousProgressiveJPEG() {
    let bytes = progressive(side: 16384, scans: 1, dataBytes: 500)
    let problem = ImageError.Problem.damaged("\(bytes.count) bytes are too few for 16384×16384 pixels")
    #expect(throws: ImageError(file: "a.jpg", problem)) { try Image(decoding: bytes, named: "a.jpg") }
  }

  @Test func refusesMoreScansThanTheFileMayHave() {
    let clock = ContinuousClock()
    let bytes = progressive(side: 4096, scans: 480, dataBytes: 4096 * 4096 / 64 / 8)
    #expect(bytes.count < 60_000)
    let duration = clock.measure {
      let error = #expect(throws: ImageError.self) { try Image(decoding: bytes, named: "a.jpg") }
      #expect(error?.description.contains("scans of so many pixels") == true)
    }
    #expect(duration < .seconds(10))
  }

  @Test func scansGrowWithTheFile() {
    #expect(Image.mostScans(of: 12_000_000, in: 2_000_000) == 500)
    #expect(Image.mostScans(of: 100_000_000, in: 250_000) > 10)
    #expect(Image.mostScans(of: 1 << 25, in: 1000) == 32)
  }

  /// Each format's header with a size of 16000×16000 in it.
  @Test(arguments: [
    ("lossy.webp", 26, [UInt8](arrayLiteral: 0x80, 0x3E, 0x80, 0x3E)),
    ("rows.gif", 6, [0x80, 0x3E, 0x80, 0x3E]),
    ("runs8.bmp", 18, [0x80, 0x3E, 0, 0, 0x80, 0x3E, 0, 0]),
  ])
  func refusesClaims(file: String, position: Int, size: [UInt8]) throws {
    var bytes = try Expected.bytes(of: file)
    bytes.replaceSubrange(position..<position + size.count, with: size)
    let problem = ImageError.Problem.damaged("\(bytes.count) bytes are too few for 16000×16000 pixels")
    #expect(throws: ImageError(file: file, problem)) { try Image(decoding: bytes, named: file) }
  }

  /// 16000×16000 pixels of one bit each are 32 MB before deflate, which may make 31 KB of them.
  @Test func refusesPNGThatMayBeWholeAndTakesTooMuch() throws {
    var bytes = try Expected.bytes(of: "palette1.png")
    bytes.replaceSubrange(16..<24, with: [0, 0, 0x3E, 0x80, 0, 0, 0x3E, 0x80])
    bytes.replaceSubrange(29..<33, with: crc(bytes[12..<29]))
    bytes += [UInt8](repeating: 0, count: 31_155 - bytes.count)
    let problem = ImageError.Problem.damaged("31155 bytes are too few for 16000×16000 pixels")
    #expect(throws: ImageError(file: "a.png", problem)) { try Image(decoding: bytes, named: "a.png") }
  }

  @Test func refusesTIFFThatClaimsMuch() throws {
    var bytes = try Expected.bytes(of: "lzw.tif")
    let directory = (0..<4).reduce(0) { $0 | Int(bytes[4 + $1]) << (8 * $1) }
    for entry in 0..<2 {  // width and length come first, as SHORT or LONG
      let value = directory + 2 + 12 * entry + 8
      bytes.replaceSubrange(value..<value + 4, with: [0x80, 0x3E, 0, 0])
    }
    let problem = ImageError.Problem.damaged("\(bytes.count) bytes are too few for 16000×16000 pixels")
    #expect(throws: ImageError(file: "a.tif", problem)) { try Image(decoding: bytes, named: "a.tif") }
  }

  @Test func saysWhatKindsOfTIFFAndBMPAreNotRead() throws {
    var bytes = try Expected.bytes(of: "rgb24.bmp")
    bytes[30] = 4  // a JPEG inside
    #expect(throws: ImageError(file: "a.bmp", .unsupported("BMP compression 4"))) {
      try Image(decoding: bytes, named: "a.bmp")
    }
  }
}
