import AviaryTensors
import AviaryVision
import Testing

@testable import AviaryZoo

@Suite("Sliced detection")
struct SlicedDetectionTests {
  private static func object(
    _ box: (Float, Float, Float, Float), _ score: Float, label: Int = 0, isCut: Bool = false
  ) -> SlicedObject {
    SlicedObject(
      detection: Detection(
        box: Box(x1: box.0, y1: box.1, x2: box.2, y2: box.3), label: "label \(label)", labelIndex: label,
        score: score), isCut: isCut)
  }

  @Test("slices cover every pixel, overlap as asked, and end at the border")
  func rectangles() {
    let slices = PictureSlices(side: 100, overlap: 0.2).rectangles(width: 250, height: 90)
    #expect(slices.map(\.x) == [0, 80, 150])
    #expect(slices.allSatisfy { $0.y == 0 && $0.width == 100 && $0.height == 90 })
    #expect(PictureSlices(side: 640).rectangles(width: 64, height: 48).count == 1)
    for (width, height) in [(1, 1), (101, 99), (331, 777)] {
      var seen = Set<Int>()
      for slice in PictureSlices(side: 50, overlap: 0.5).rectangles(width: width, height: height) {
        #expect(slice.x + slice.width <= width && slice.y + slice.height <= height)
        for y in slice.y..<slice.y + slice.height {
          for x in slice.x..<slice.x + slice.width { seen.insert(y * width + x) }
        }
      }
      #expect(seen.count == width * height)
    }
  }

  @Test("what a slice cuts off yields to the whole object, however sure it is")
  func cutOff() {
    let whole = Self.object((10, 10, 110, 60), 0.6)
    let part = Self.object((10, 10, 80, 60), 0.95, isCut: true)
    let other = Self.object((10, 10, 80, 60), 0.9, label: 1, isCut: true)
    let found = SlicedObject.merged([part, whole, other])
    #expect(found.map(\.score) == [0.9, 0.6])
    #expect(SlicedObject.merged([part]).count == 1)
    #expect(
      PictureSlice(x: 0, y: 0, width: 80, height: 80).cuts(whole.detection.box, width: 80, height: 80)
        == false)
    #expect(PictureSlice(x: 0, y: 0, width: 80, height: 80).cuts(part.detection.box, width: 200, height: 80))
  }

  @Test("masks are placed where the slice was")
  func masks() throws {
    var detection = Self.object((0, 0, 2, 1), 1).detection
    detection.mask = Mask(width: 2, height: 2, pixels: [true, true, false, false])
    let placed = PictureSlice(x: 1, y: 2, width: 2, height: 2).placed(detection, width: 4, height: 4)
    let mask = try #require(placed.mask)
    #expect(mask.pixels.indices.filter { mask.pixels[$0] } == [9, 10])
    #expect(placed.box == Box(x1: 1, y1: 2, x2: 3, y2: 3))
  }

  @Test("four scenes side by side give what each gives alone")
  func scenes() throws {
    let detector = try Zoo.load(Detector.self, "yolov8_scenes")
    let scenes = SceneGenerator(width: 96, height: 96)
    let pictures = (0..<4).map { scenes.picture($0, seed: 7).image }
    let joined = Image.grid(pictures, columns: 2, spacing: 0)
    try #require(joined.width == 192 && joined.height == 192)
    let alone = try pictures.enumerated().flatMap { index, picture in
      try detector.detect(picture).map {
        PictureSlice(x: index % 2 * 96, y: index / 2 * 96, width: 96, height: 96)
          .placed($0, width: 192, height: 192)
      }
    }
    let slices = PictureSlices(side: 96, overlap: 0, includesWhole: false)
    let found = try detector.detect(joined, in: slices)
    #expect(alone.count >= 4)
    // Within a picture two objects of one label may be merged, and nothing else is lost or added.
    #expect(
      found.allSatisfy { object in alone.contains { $0.box == object.box && $0.score == object.score } })
    #expect(found.count >= alone.count - 2)
  }
}
