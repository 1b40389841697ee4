import AviaryVision
import Foundation
import Testing

/// What pycocotools made of polygons; written by `tools/reference/mask_fixtures.py`.
private struct MaskFixture: Decodable {
  struct Case: Decodable {
    let polygons: [[Double]]
    let width: Int
    let height: Int
    let area: Int
    let counts: [Int]
    let compressed: String
  }

  let cases: [Case]

  static let shared = try! JSONDecoder().decode(
    MaskFixture.self, from: Data(contentsOf: URL(fileURLWithPath: Expected.path(of: "masks.json"))))
}

@Suite("Masks of polygons and run lengths, as pycocotools makes them")
struct MaskTests {
  @Test("polygons are filled pixel by pixel as there, and run lengths are the same both ways")
  func polygons() throws {
    #expect(MaskFixture.shared.cases.count == 68)
    for (number, example) in MaskFixture.shared.cases.enumerated() {
      let (width, height) = (example.width, example.height)
      let mask = try Mask(polygons: example.polygons, width: width, height: height)
      #expect(mask.runLengths == example.counts && mask.area == example.area, "case \(number)")
      #expect(try Mask(runLengths: example.counts, width: width, height: height) == mask)
      #expect(mask.compressedRunLengths == example.compressed)
      #expect(
        try Mask(compressedRunLengths: example.compressed, width: width, height: height) == mask,
        "case \(number)")
    }
  }

  @Test("the box of a mask is the smallest around its pixels")
  func box() throws {
    let mask = try Mask(runLengths: [7, 2, 4, 1, 6], width: 4, height: 5)
    #expect(mask.box == Box(x1: 1, y1: 2, x2: 3, y2: 4))
    #expect(mask[1, 2] && mask[1, 3] && mask[2, 3] && mask.area == 3)
    #expect(Mask(width: 2, height: 2, pixels: [false, false, false, false]).box == nil)
  }

  @Test(
    "runs that do not fit are refused",
    arguments: [[21], [10, 11], [-1, 21], [10], [], [Int.max, Int.max], [10, Int.min]])
  func badRuns(_ runs: [Int]) {
    #expect(throws: MaskError.self) { try Mask(runLengths: runs, width: 4, height: 5) }
  }

  @Test(
    "damaged compressed runs are refused",
    arguments: ["", "o", "ooooooooooooooooooo", "é", "000", "~~", "54321"])
  func badText(_ text: String) {
    #expect(throws: MaskError.self) { try Mask(compressedRunLengths: text, width: 4, height: 5) }
  }

  @Test(
    "what is no polygon is refused",
    arguments: [
      [[]], [[1, 2, 3, 4]], [[1, 2, 3, 4, 5, 6, 7]], [[0, 0, 1, 1, .nan, 2]], [[0, 0, 1, 1, .infinity, 2]],
      [[0, 0, 1, 1, 1e300, 2]], [],
    ] as [[[Double]]])
  func badPolygons(_ polygons: [[Double]]) {
    #expect(throws: MaskError.self) { try Mask(polygons: polygons, width: 4, height: 5) }
  }

  @Test("outlines of enormous length are refused before they are walked")
  func longOutline() {
    let zigzag = (0..<4000).flatMap { [Double($0 % 2) * 8000, Double($0 % 2) * 8000] }
    #expect(throws: MaskError.self) { try Mask(polygons: [zigzag], width: 8000, height: 8000) }
  }
}
