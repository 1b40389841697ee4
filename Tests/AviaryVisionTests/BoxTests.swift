import AviaryVision
import Foundation
import Testing

@Suite struct BoxTests {
  let box = Box(x1: 1, y1: 2, x2: 5, y2: 5)

  @Test func sizes() {
    #expect(box.width == 4 && box.height == 3 && box.area == 12)
    #expect(Box(centreX: 3, centreY: 3.5, width: 4, height: 3) == box)
    let turned = Box(x1: 5, y1: 5, x2: 1, y2: 2)
    #expect(turned.width == -4 && turned.area == 0)
  }

  @Test func cocoArray() throws {
    #expect(Box(coco: [1, 2, 4, 3]) == box)
    #expect(box.coco == [1, 2, 4, 3])
    #expect(Box(coco: [1, 2, 4]) == nil)
    #expect(try JSONDecoder().decode(Box.self, from: JSONEncoder().encode(box)) == box)
  }

  @Test func clipping() {
    #expect(
      Box(x1: -3, y1: 1, x2: 9, y2: 4.5).clipped(width: 6, height: 4) == Box(x1: 0, y1: 1, x2: 6, y2: 4))
    #expect(Box(x1: 8, y1: -4, x2: 9, y2: -2).clipped(width: 6, height: 4) == Box(x1: 6, y1: 0, x2: 6, y2: 0))
  }

  @Test func intersectionOverUnion() {
    let square = Box(x1: 0, y1: 0, x2: 2, y2: 2)
    #expect(square.iou(Box(x1: 1, y1: 1, x2: 3, y2: 3)) == Float(1) / 7)
    #expect(square.iou(square) == 1)
    #expect(square.iou(Box(x1: 0, y1: 0, x2: 2, y2: 1)) == 0.5)
    #expect(square.iou(Box(x1: 2, y1: 0, x2: 4, y2: 2)) == 0, "edges that touch")
    let empty = Box(x1: 1, y1: 1, x2: 1, y2: 1)
    #expect(empty.iou(empty) == 0)
  }
}

@Suite struct SuppressionTests {
  /// The second overlaps the first by 0.5, the third is the first, the last is elsewhere.
  let boxes = [
    Box(x1: 0, y1: 0, x2: 10, y2: 10), Box(x1: 0, y1: 0, x2: 10, y2: 5), Box(x1: 0, y1: 0, x2: 10, y2: 10),
    Box(x1: 20, y1: 0, x2: 30, y2: 10),
  ]

  @Test func keepsTheBestOfThoseThatOverlap() {
    let scores: [Float] = [0.5, 0.75, 0.5, 0.875]
    #expect(nonMaximumSuppression(boxes, scores: scores, threshold: 0.4) == [3, 1])
    #expect(
      nonMaximumSuppression(boxes, scores: scores, threshold: 0.5) == [3, 1, 0], "not above the threshold")
    #expect(
      nonMaximumSuppression(boxes, scores: scores, threshold: 1) == [3, 1, 0, 2], "equals in their order")
    #expect(nonMaximumSuppression([], scores: [], threshold: 0.5) == [])
  }

  @Test func keepsClassesApart() {
    let scores: [Float] = [0.5, 0.75, 0.25, 0.125]
    #expect(nonMaximumSuppression(boxes, scores: scores, labels: [1, 2, 1, 1], threshold: 0.3) == [1, 0, 3])
  }

  /// What went before does not suppress: only what stays does.
  @Test func suppressedBoxesSuppressNothing() {
    let row = [0, 4, 8].map { Box(x1: $0, y1: 0, x2: $0 + 10, y2: 10) }
    #expect(nonMaximumSuppression(row, scores: [0.9, 0.8, 0.7], threshold: 0.4) == [0, 2])
  }

  @Test func scoresThatAreNoNumbersComeLast() {
    #expect(nonMaximumSuppression(boxes, scores: [.nan, -1, 1, 0], threshold: 0.9) == [2, 3, 1])
  }

  @Test func ofDetections() {
    let detections = zip(boxes, [0.5, 0.75, 0.25, 0.875] as [Float]).map {
      Detection(box: $0, label: "bird", labelIndex: 16, score: $1)
    }
    #expect(detections.suppressed(threshold: 0.5) == [detections[3], detections[1], detections[0]])
  }

  @Test(arguments: ExpectedBoxes.all)
  func equalsEveryPairCompared(expected: ExpectedBoxes) {
    let first = expected.pictures(1)[0].detections
    for kept in expected.kept {
      let found = nonMaximumSuppression(
        first.map(\.box), scores: first.map(\.score), labels: first.map(\.labelIndex),
        threshold: kept.threshold)
      #expect(found == kept.indices)
    }
  }
}
