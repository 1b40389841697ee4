import AviaryVision
import Foundation
import Testing

@Suite struct COCOEvaluationTests {
  private func isClose(_ value: Double?, _ expected: Double?) -> Bool {
    guard let value, let expected else { return value == nil && expected == nil }
    return abs(value - expected) < 1e-12
  }

  @Test("the first numbers of pycocotools for random boxes", arguments: ExpectedBoxes.all)
  func equalsPycocotools(expected: ExpectedBoxes) {
    var evaluation = COCOEvaluation(.boxes)
    for picture in expected.pictures(expected.pictures) {
      evaluation.add(
        picture.detections,
        truth: picture.truth.map {
          COCOEvaluation.Truth(Instance(box: $0.box, labelIndex: $0.labelIndex, isCrowd: $0.isCrowd))
        })
    }
    let summary = evaluation.summary
    #expect(isClose(summary.averagePrecision, expected.scores?[0]))
    #expect(isClose(summary.at50, expected.scores?[1]) && isClose(summary.at75, expected.scores?[2]))
    for (label, scores) in expected.classes.enumerated() {
      #expect(isClose(evaluation.summary(of: label).averagePrecision, scores?[0]), "class \(label)")
    }
  }

  private func truth(_ box: Box, _ area: Double? = nil, isCrowd: Bool = false, mask: Mask? = nil)
    -> COCOEvaluation.Truth
  {
    COCOEvaluation.Truth(Instance(box: box, labelIndex: 1, isCrowd: isCrowd, mask: mask), area: area)
  }

  private func detection(_ box: Box, score: Float, mask: Mask? = nil) -> Detection {
    Detection(box: box, label: "", labelIndex: 1, score: score, mask: mask)
  }

  private let box = Box(x1: 0, y1: 0, x2: 32, y2: 32)
  private let other = Box(x1: 100, y1: 0, x2: 200, y2: 100)

  @Test("an area at the border is small and medium; a detection of another size counts for none")
  func areas() {
    var evaluation = COCOEvaluation(.boxes)
    evaluation.add([detection(box, score: 0.5)], truth: [truth(box, 1024)])
    let summary = evaluation.summary
    #expect(isClose(summary.small, 1) && isClose(summary.medium, 1) && summary.large == nil)
    #expect(isClose(summary.averagePrecision, 1))

    // A wrong detection of 100×100 pixels is not held against small objects.
    evaluation = COCOEvaluation(.boxes)
    evaluation.add([detection(other, score: 0.9), detection(box, score: 0.5)], truth: [truth(box, 1000)])
    #expect(isClose(evaluation.summary.small, 1) && isClose(evaluation.summary.averagePrecision, 0.5))
    // The area is what the annotation says, not what the box has.
    evaluation = COCOEvaluation(.boxes)
    evaluation.add([detection(box, score: 0.5)], truth: [truth(box, 50_000)])
    #expect(isClose(evaluation.summary.large, 1) && evaluation.summary.small == nil)
  }

  @Test("recall with few detections of a picture")
  func recalls() {
    var evaluation = COCOEvaluation(.boxes)
    let objects = (0..<4).map { Box(x1: Float(40 * $0), y1: 0, x2: Float(40 * $0 + 30), y2: 30) }
    // The surest is wrong.
    let found = [detection(other, score: 1)] + objects.map { detection($0, score: 0.5) }
    evaluation.add(found, truth: objects.map { truth($0) })
    let summary = evaluation.summary
    #expect(summary.recallOf1 == 0 && summary.recallOf10 == 1 && summary.recallOf100 == 1)
    #expect(summary.recallSmall == 1 && summary.recallLarge == nil)
    #expect(evaluation.precisions(of: 1, threshold: 0) == [Double](repeating: 0.8, count: 101))
    #expect(evaluation.classes == [1] && evaluation.precisions(of: 2, threshold: 0) == nil)
    #expect(summary.rows.count == 12)
  }

  @Test("masks are compared pixel by pixel, those of crowds over the detection's area")
  func masks() {
    func mask(_ columns: Range<Int>) -> Mask {
      Mask(width: 8, height: 1, pixels: (0..<8).map(columns.contains))
    }
    var evaluation = COCOEvaluation(.masks)
    // 3 of 4 pixels: the thresholds from .50 to .75.
    evaluation.add(
      [detection(box, score: 0.5, mask: mask(0..<3)), detection(box, score: 0.9)],
      truth: [truth(box, mask: mask(0..<4))])
    #expect(isClose(evaluation.summary.averagePrecision, 0.6))
    #expect(isClose(evaluation.summary.at50, 1) && isClose(evaluation.summary.at75, 1))
    // A crowd takes what lies in it.
    evaluation = COCOEvaluation(.masks)
    evaluation.add(
      [detection(box, score: 0.9, mask: mask(5..<7)), detection(box, score: 0.5, mask: mask(0..<3))],
      truth: [truth(box, mask: mask(0..<3)), truth(box, isCrowd: true, mask: mask(4..<8))])
    #expect(isClose(evaluation.summary.averagePrecision, 1))
  }

  @Test("no objects, no numbers")
  func nothing() {
    var evaluation = COCOEvaluation(.boxes)
    #expect(evaluation.summary.averagePrecision == nil)
    evaluation.add([detection(box, score: 0.5)], truth: [])
    #expect(evaluation.summary.averagePrecision == nil && evaluation.classes.isEmpty)
  }
}

@Suite struct CompressedRunLengthTests {
  @Test func roundTrip() throws {
    var state: UInt64 = 7
    for (width, height) in [(1, 1), (7, 5), (40, 33), (300, 200)] {
      let pixels = (0..<width * height).map { _ -> Bool in
        state = state &* 6_364_136_223_846_793_005 &+ 1
        return state >> 60 > (width > 100 ? 14 : 7)
      }
      let mask = Mask(width: width, height: height, pixels: pixels)
      let text = mask.compressedRunLengths
      #expect(try Mask(compressedRunLengths: text, width: width, height: height) == mask)
      #expect(try JSONDecoder().decode(Mask.self, from: JSONEncoder().encode(mask)) == mask)
    }
    let empty = Mask(width: 300, height: 200, pixels: .init(repeating: false, count: 60_000))
    #expect(try Mask(compressedRunLengths: empty.compressedRunLengths, width: 300, height: 200) == empty)
    #expect(throws: MaskError.self) {
      try JSONDecoder().decode(Mask.self, from: Data(#"{"size":[2,2],"counts":"1"}"#.utf8))
    }
  }
}
