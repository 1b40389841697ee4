import AviaryTensors
import AviaryVision
import Testing

@Suite struct GridTests {
  @Test func placesPictures() {
    let wide = Image(width: 2, height: 1, model: .grey, pixels: [1, 2])
    let high = Image(width: 1, height: 2, model: .grey, pixels: [3, 4])
    let sheet = Image.grid([wide, high, wide], columns: 2, spacing: 1)
    let rows: [[UInt8]] = [
      [0, 0, 0, 0, 0, 0, 0], [0, 1, 2, 0, 3, 0, 0], [0, 0, 0, 0, 4, 0, 0], [0, 0, 0, 0, 0, 0, 0],
      [0, 1, 2, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0],
    ]
    #expect(sheet == Image(width: 7, height: 7, model: .grey, pixels: rows.flatMap(\.self)))
  }

  @Test func colours() {
    let grey = Image(width: 1, height: 1, model: .grey, pixels: [7])
    let colour = Image(width: 1, height: 1, model: .rgb, pixels: [1, 2, 3])
    let mixed = Image.grid([grey, colour], columns: 5, spacing: 0)
    #expect(mixed == Image(width: 2, height: 1, model: .rgb, pixels: [7, 7, 7, 1, 2, 3]))
    let blue = Image.grid([grey], columns: 1, spacing: 1, background: Colour(red: 0, green: 0, blue: 9))
    #expect(blue.width == 3 && blue.height == 3 && blue.model == .rgb)
    #expect(blue[1, 1, 2] == 7 && blue[0, 0, 2] == 9 && blue[2, 2, 0] == 0)
  }
}

@Suite struct TensorPictureTests {
  @Test func rounding() throws {
    // 0.1, 0.3 and 0.5 of 255 lie in the middle in float32, as they do in NumPy.
    let grey = Tensor([0, 1, 0.5, 0.1, 0.3, 2, -1, 0.25] as [Float], shape: [2, 1, 2, 2])
    let pictures = try Image.pictures(of: grey)
    #expect(pictures.map(\.pixels) == [[0, 255, 128, 26], [76, 255, 0, 64]])
    #expect(pictures.allSatisfy { $0.width == 2 && $0.height == 2 && $0.model == .grey })
  }

  @Test func ranges() throws {
    let colour = Tensor([-1, 1, 0, -3, 0.5, 3] as [Float], shape: [1, 3, 1, 2])
    let picture = try #require(try Image.pictures(of: colour, range: -1...1).first)
    #expect(picture == Image(width: 2, height: 1, model: .rgb, pixels: [0, 128, 191, 255, 0, 255]))
  }

  @Test func valuesThatAreNotFinite() {
    var values = [Float](repeating: 0, count: 36)
    values[18 + 12 + 4] = .infinity
    let error = #expect(throws: NonFiniteError.self) {
      try Image.pictures(of: Tensor(values, shape: [2, 3, 3, 2]))
    }
    #expect(error?.description == "the value of channel 2 at (0, 2) of picture 1 is infinite")
    values[3] = .nan
    let first = #expect(throws: NonFiniteError.self) {
      try Image.pictures(of: Tensor(values, shape: [2, 3, 3, 2]))
    }
    #expect(first?.description == "the value of channel 0 at (1, 1) of picture 0 is not a number")
  }
}
