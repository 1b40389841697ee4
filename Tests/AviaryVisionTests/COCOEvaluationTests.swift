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
      evaluation.add(picture.detections, objects: picture.truth)
    }
    let summary = evaluation.summary
    #expect(isClose(summary.averagePrecision, expected.scores?[0]))
    #expect(isClose(summary.at50, expected.scores?[1]) && isClose(summary.at75, expected.scores?[2]))
    for (label, scores) in expected.classes.enumerated() {
      let own = evaluation.summary(of: label)
      for (value, wanted) in zip([own.averagePrecision, own.at50, own.at75], 0..<3) {
        #expect(isClose(value, scores?[wanted]), "class \(label)")
      }
    }
    #expect(evaluation.classes == expected.classes.indices.filter { expected.classes[$0] != nil })
  }

  @Test("of 144 detections of a picture the hundred best of a class count, and no others")
  func onlyTheBestCount() throws {
    let expected = try #require(ExpectedBoxes.all.first { $0.name == "many" })
    let picture = expected.pictures(1)[0]
    var (all, best) = (COCOEvaluation(.boxes), COCOEvaluation(.boxes))
    all.add(picture.detections, objects: picture.truth)
    let byLabel = Dictionary(grouping: picture.detections, by: \.labelIndex)
    #expect(byLabel.contains { $0.value.count > 100 })
    best.add(
      byLabel.values.flatMap { $0.sorted { $0.score > $1.score }.prefix(100) }, objects: picture.truth)
    #expect(all.summary == best.summary)
  }

  @Test("an intersection over union of 6/8 reaches six of the ten thresholds, .75 among them")
  func thresholdsThatAreReached() {
    var evaluation = COCOEvaluation(.boxes)
    evaluation.add(
      [detection(Box(x1: 0, y1: 0, x2: 32, y2: 24), score: 0.5)], objects: [Instance(box: box, labelIndex: 1)]
    )
    let summary = evaluation.summary
    #expect(isClose(summary.averagePrecision, 0.6) && isClose(summary.at50, 1) && isClose(summary.at75, 1))
  }

  @Test(
    "the second detection of an object is wrong: it costs nothing with the worse score, half with the better")
  func anObjectIsFoundOnce() {
    for (score, expected) in [(Float(0.25), 1.0), (0.75, 0.5)] {
      var evaluation = COCOEvaluation(.boxes)
      evaluation.add(
        [detection(box, score: 0.5), detection(other, score: score)],
        objects: [Instance(box: box, labelIndex: 1)])
      #expect(isClose(evaluation.summary.averagePrecision, expected))
    }
  }

  @Test(
    "classes without objects, or with crowds alone, do not count; of objects that are not found there is 0")
  func classesWithoutObjects() {
    var evaluation = COCOEvaluation(.boxes)
    #expect(evaluation.summary.averagePrecision == nil && evaluation.classes.isEmpty)
    let found = (1...3).map { Detection(box: box, label: "", labelIndex: $0, score: 0.5) }
    evaluation.add(
      found,
      objects: [Instance(box: box, labelIndex: 1), Instance(box: box, labelIndex: 2, isCrowd: true)])
    #expect(evaluation.classes == [1] && isClose(evaluation.summary.averagePrecision, 1))
    #expect(evaluation.summary(of: 2).at50 == nil && evaluation.summary(of: 3).at50 == nil)
    evaluation = COCOEvaluation(.boxes)
    evaluation.add([], objects: [Instance(box: box, labelIndex: 7)])
    #expect(evaluation.summary.averagePrecision == 0 && evaluation.summary.at50 == 0)
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
