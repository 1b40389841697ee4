import AviaryTensors
import AviaryVision
import Testing

@Suite struct LabelMapTests {
  @Test func likeliestClass() throws {
    // Two pixels of three classes; the first of equals.
    let logits = Tensor([1, 5, 3, 5, 2, 4] as [Float], shape: [3, 1, 2])
    let map = try LabelMap(logits: logits)
    #expect(map == LabelMap(width: 2, height: 1, labels: [1, 0]))
    #expect(try LabelMap(logits: logits.reshaped([1, 3, 1, 2])) == map)
    #expect(map[0, 0] == 1 && map[1, 0] == 0)
  }

  @Test func oneChannelIsTheSecondClass() throws {
    let map = try LabelMap(logits: Tensor([-1, 0, 0.5, .infinity] as [Float], shape: [1, 2, 2]))
    #expect(map == LabelMap(width: 2, height: 2, labels: [0, 0, 1, 1]))
  }

  @Test func batches() throws {
    let logits = Tensor([0, 1, 1, 0, 1, 0, 0, 1] as [Float], shape: [2, 2, 2, 1])
    let expected = [[1, 0], [0, 1]].map { LabelMap(width: 1, height: 2, labels: $0) }
    #expect(try LabelMap.maps(ofLogits: logits) == expected)
  }

  @Test func logitsThatAreNoNumbers() throws {
    var values = [Float](repeating: 0, count: 24)
    values[12 + 6 + 5] = .nan
    let error = #expect(throws: NonFiniteError.self) {
      try LabelMap.maps(ofLogits: Tensor(values, shape: [2, 2, 2, 3]))
    }
    #expect(error?.description == "the value of channel 1 at (2, 1) of picture 1 is not a number")
  }

  @Test func counts() {
    let counts = LabelMap(width: 3, height: 1, labels: [2, 255, 2]).counts
    #expect(counts.count == 256 && counts[2] == 2 && counts[255] == 1 && counts.reduce(0, +) == 3)
  }
}

@Suite struct LabelPictureTests {
  let map = LabelMap(width: 2, height: 2, labels: [0, 1, 3, 255])

  @Test func greyPictures() throws {
    #expect(map.picture == Image(width: 2, height: 2, model: .grey, pixels: [0, 1, 3, 255]))
    #expect(try LabelMap(map.picture) == map)
    #expect(try LabelMap(map.picture.converted(to: .rgb)) == map)
    #expect(map.mask(classCount: 4).pixels == [0, 85, 255, 255])
    #expect(LabelMap(width: 2, height: 1, labels: [0, 1]).mask().pixels == [0, 255])
  }

  @Test func masks() {
    let mask = Image(width: 4, height: 1, model: .grey, pixels: [0, 127, 128, 255])
    #expect(LabelMap(mask: mask).labels == [0, 0, 1, 1])
    #expect(LabelMap(mask: mask.converted(to: .rgb), threshold: 1).labels == [0, 1, 1, 1])
  }

  @Test func colours() throws {
    let picture = map.coloured()
    #expect(picture.pixels == [0, 0, 0, 128, 0, 0, 128, 128, 0, 224, 224, 192])
    #expect(try LabelMap(picture, palette: .voc) == map)
    let error = #expect(throws: UnknownColour.self) { try LabelMap(picture) }
    #expect(error?.description == "the colour (128, 0, 0) at (1, 0) stands for no label")
  }

  /// The numbers of `VOClabelcolormap`.
  @Test func vocPalette() {
    let colours = [
      (2, 0, 128, 0), (4, 0, 0, 128), (7, 128, 128, 128), (8, 64, 0, 0), (15, 192, 128, 128),
      (20, 0, 64, 128),
    ]
    for (label, red, green, blue) in colours {
      #expect(
        Palette.voc[label] == Colour(red: UInt8(red), green: UInt8(green), blue: UInt8(blue)), "\(label)")
    }
    #expect(Set(Palette.voc.colours).count == 256)
    #expect(Palette.voc[256] == .black && Palette([.white, .black])[-1] == .black)
  }

  @Test func hues() {
    #expect(Palette.hues[0] == Colour(red: 255, green: 64, blue: 64))
    for (a, b) in zip(Palette.hues.colours, Palette.hues.colours.dropFirst()) {
      let pairs = [(a.red, b.red), (a.green, b.green), (a.blue, b.blue)]
      #expect(pairs.reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) } > 150)
    }
  }
}

@Suite struct OverlayTests {
  @Test func mixes() {
    let image = Image(width: 2, height: 2, model: .grey, pixels: [100, 100, 101, 103])
    let map = LabelMap(width: 2, height: 2, labels: [0, 1, 1, 1])
    #expect(
      map.overlaid(on: image, opacity: 0.25).pixels
        == [100, 100, 100, 107, 75, 75, 108, 76, 76, 109, 77, 77])
    // 114.5 and 50.5 become even, 115.5 and 51.5 too.
    #expect(map.overlaid(on: image).pixels == [100, 100, 100, 114, 50, 50, 114, 50, 50, 116, 52, 52])
    #expect(map.overlaid(on: image, opacity: 0) == image.converted(to: .rgb))
    #expect(
      map.overlaid(on: image, opacity: 1, palette: Palette([.black, .white])).pixels
        == [100, 100, 100] + Array(repeating: 255, count: 9))
  }

  @Test func outlines() {
    let image = Image(width: 5, height: 5, model: .grey, pixels: Array(repeating: 0, count: 25))
    let block = LabelMap(
      width: 5, height: 5,
      labels: (0..<25).map { (1...3).contains($0 % 5) && (1...3).contains($0 / 5) ? 1 : 0 })
    let outlined = block.overlaid(on: image, outline: 1)
    for y in 0..<5 {
      for x in 0..<5 {
        let expected: UInt8 = block[x, y] == 0 ? 0 : x == 2 && y == 2 ? 64 : 128
        #expect(outlined[x, y, 0] == expected)
      }
    }
    #expect(block.overlaid(on: image, outline: 2)[2, 2, 0] == 128)
    let everywhere = LabelMap(width: 5, height: 5, labels: Array(repeating: 1, count: 25))
    #expect(
      everywhere.overlaid(on: image, outline: 3) == everywhere.overlaid(on: image),
      "the picture's border is no outline")
  }
}
