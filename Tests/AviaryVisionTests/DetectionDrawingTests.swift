import Testing

@testable import AviaryVision

@Suite struct DetectionDrawingTests {
  private func grey(_ width: Int, _ height: Int) -> Image {
    Image(width: width, height: height, model: .grey, pixels: Array(repeating: 10, count: width * height))
  }

  private func detection(_ x1: Float, _ y1: Float, _ x2: Float, _ y2: Float, label: String = "a") -> Detection
  {
    Detection(box: Box(x1: x1, y1: y1, x2: x2, y2: y2), label: label, labelIndex: 0, score: 0.5)
  }

  private func colour(_ image: Image, _ x: Int, _ y: Int) -> Colour {
    Colour(red: image[x, y, 0], green: image[x, y, 1], blue: image[x, y, 2])
  }

  let untouched = Colour(grey: 10)

  @Test func framesAndCaptions() {
    let drawn = grey(40, 30).drawing(boxes: [detection(4, 12, 24, 28)])
    let red = Palette.hues[0]
    // The caption, six letters in 37×10 pixels, ends at the picture's right border.
    for y in 0..<30 {
      for x in 0..<40 {
        let isCaption = x >= 3 && (2..<12).contains(y)
        let isInFrame = (4..<24).contains(x) && (12..<28).contains(y)
        let isInside = (5..<23).contains(x) && (13..<27).contains(y)
        let found = colour(drawn, x, y)
        if isCaption {
          #expect(found == red || found == .white)
        } else {
          #expect(found == (isInFrame && !isInside ? red : untouched), "(\(x), \(y))")
        }
      }
    }
    // The third row of an "a" are three dots in the middle, after a dot of margin.
    #expect((4..<9).map { colour(drawn, $0, 5) } == [red, .white, .white, .white, red])
  }

  @Test func captionsWithoutRoomAboveStandInside() {
    let drawn = grey(60, 40).drawing(boxes: [detection(2, 3, 50, 38)], palette: Palette([.white]))
    #expect(colour(drawn, 2, 2) == untouched)
    #expect(colour(drawn, 10, 12) == .white && colour(drawn, 10, 13) == untouched)
    #expect((3..<8).map { colour(drawn, $0, 6) } == [.white, .black, .black, .black, .white])
  }

  @Test func captionsAreShortened() {
    let image = grey(61, 30)
    let shortened = image.drawing(boxes: [detection(0, 12, 20, 28, label: "abcdefgh")])
    #expect(shortened == image.drawing(boxes: [detection(0, 12, 20, 28, label: "abcde")]))
    #expect(shortened != image.drawing(boxes: [detection(0, 12, 20, 28, label: "abcd")]))
    // The score alone, and nothing at all.
    let scoreOnly = grey(25, 25).drawing(boxes: [detection(0, 12, 20, 24)])
    #expect(scoreOnly == grey(25, 25).drawing(boxes: [detection(0, 12, 20, 24, label: "")]))
    #expect(colour(scoreOnly, 24, 2) == Palette.hues[0])
    let frameOnly = grey(24, 25).drawing(boxes: [detection(0, 12, 20, 24)])
    #expect((0..<24).allSatisfy { colour(frameOnly, $0, 11) == untouched })
  }

  @Test func lettersThatTheFontHasNot() {
    func drawn(_ label: String) -> Image {
      grey(80, 40).drawing(boxes: [detection(4, 20, 60, 36, label: label)])
    }
    #expect(drawn("é") == drawn("e") && drawn("É") == drawn("E") && drawn("鳥") == drawn("?"))
    #expect(drawn("é") != drawn("E"))
  }

  @Test func largePictures() {
    let drawn = grey(480, 500).drawing(boxes: [detection(100, 100, 300, 300)])
    let red = Palette.hues[0]
    #expect((99..<103).map { colour(drawn, $0, 200) } == [untouched, red, red, untouched])
    #expect((297..<301).map { colour(drawn, 200, $0) } == [untouched, red, red, untouched])
    #expect(colour(drawn, 100, 80) == red && colour(drawn, 100, 79) == untouched, "ten dots of two pixels")
  }

  @Test func boxesThatReachOut() {
    let image = grey(60, 40)
    let around = image.drawing(boxes: [detection(-.infinity, -5, 400, .infinity)])
    #expect(around == image.drawing(boxes: [detection(0, 0, 60, 40)]))
    #expect(colour(around, 59, 20) == Palette.hues[0] && colour(around, 30, 39) == Palette.hues[0])
    let nowhere = [
      detection(60, 0, 70, 10), detection(0, -9, 10, 0), detection(.nan, 0, 10, 10), detection(9, 0, 5, 10),
    ]
    #expect(image.drawing(boxes: nowhere) == image.converted(to: .rgb))
  }
}

@Suite struct BitmapFontTests {
  @Test func everyLetterDiffers() {
    let letters = (0x20...0x7E).map { BitmapFont.rows(of: Character(UnicodeScalar($0))) }
    #expect(letters.allSatisfy { $0.count == BitmapFont.height && $0.allSatisfy { $0 < 32 } })
    #expect(Set(letters).count == 95)
    #expect(letters[0].allSatisfy { $0 == 0 })
    #expect(letters.dropFirst().allSatisfy { $0.contains { $0 != 0 } })
  }

  @Test func letters() {
    #expect(
      BitmapFont.rows(of: "L") == [0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b11111, 0])
    #expect(BitmapFont.rows(of: "~") == [0, 0, 0b01000, 0b10101, 0b00010, 0, 0, 0])
  }
}
