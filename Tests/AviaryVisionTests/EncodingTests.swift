import AviaryVision
import Foundation
import Testing

@Suite struct EncodingTests {
  /// A folder of its own for each test, removed at the end.
  private func inFolder(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder.path)
  }

  @Test(arguments: ["rgb420.jpg", "grey.jpg", "grey1.png"])
  func pngKeepsEveryPixel(file: String) throws {
    let image = try Image(contentsOf: Expected.path(of: file))
    try inFolder { folder in
      try image.write(to: folder + "/a.png")
      #expect(try Image(contentsOf: folder + "/a.png") == image)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["a.png"])
    }
  }

  @Test(arguments: ["rgb420.jpg", "grey.jpg"])
  func jpegStaysClose(file: String) throws {
    let image = try Image(contentsOf: Expected.path(of: file))
    try inFolder { folder in
      try image.write(to: folder + "/a.jpeg", jpegQuality: 100)
      let again = try Image(contentsOf: folder + "/a.jpeg")
      #expect(again.width == image.width && again.height == image.height && again.model == image.model)
      let error = zip(image.pixels, again.pixels).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
      #expect(error < 8 * image.pixels.count, "\(difference(image, again))")
    }
  }

  /// Noise does not compress: the worst case for the size of the encoder's memory.
  @Test func incompressiblePictures() throws {
    var generator = SystemRandomNumberGenerator()
    for (width, height) in [(1, 1), (1, 3000), (3000, 1), (301, 299)] {
      let pixels = (0..<width * height * 3).map { _ in UInt8.random(in: 0...255, using: &generator) }
      let image = Image(width: width, height: height, model: .rgb, pixels: pixels)
      try inFolder { folder in
        try image.write(to: folder + "/a.png")
        #expect(try Image(contentsOf: folder + "/a.png") == image)
      }
    }
  }

  @Test func refusesOtherEndings() {
    let image = Image(width: 1, height: 1, model: .grey, pixels: [1])
    #expect(throws: ImageError(file: "a.bmp", .unknownEnding)) { try image.write(to: "a.bmp") }
  }

  @Test func reportsAFolderThatIsMissing() {
    let image = Image(width: 1, height: 1, model: .grey, pixels: [1])
    let error = #expect(throws: ImageError.self) { try image.write(to: "/nowhere/a.png") }
    guard case .unwritable = error?.problem else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func greyAndBack() throws {
    let colour = Image(width: 2, height: 1, model: .rgb, pixels: [255, 0, 0, 10, 200, 30])
    #expect(colour.converted(to: .grey).pixels == [76, 124])
    #expect(colour.converted(to: .grey).converted(to: .rgb).pixels == [76, 76, 76, 124, 124, 124])
  }
}
