import AviaryVision
import Foundation
import Testing

@Suite struct BoxCoderTests {
  private let known = Box(x1: 10, y1: 20, x2: 30, y2: 60)

  @Test func differences() {
    let coder = BoxCoder(centreWeight: 10, sizeWeight: 5)
    let box = Box(x1: 14, y1: 10, x2: 24, y2: 90)
    let expected: [Float] = [-0.5, 2.5, 5 * log(0.5), 5 * log(2)]
    let codes = coder.encoded(box, from: known)
    for (code, value) in zip(codes, expected) { #expect(abs(code - value) < 1e-6) }
    let back = coder.decoded(codes[0], codes[1], codes[2], codes[3], from: known)
    for (edge, value) in zip(back.coco, box.coco) { #expect(abs(edge - value) < 1e-5) }
    #expect(BoxCoder().decoded(0, 0, 0, 0, from: known) == known)
  }

  @Test func sizesAreLimitedAbove() {
    let box = BoxCoder().decoded(0, 0, 100, -100, from: known)
    #expect(abs(box.width - 20 * 62.5) < 1e-2)
    #expect(box.height < 1e-6)
  }
}

@Suite struct BoxOverlapTests {
  @Test func measuresOfBoxesApart() {
    let (one, other) = (Box(x1: 0, y1: 0, x2: 2, y2: 2), Box(x1: 4, y1: 0, x2: 6, y2: 2))
    #expect(one.iou(other) == 0)
    // 4 of 12 pixels of the smallest box around both are neither's; the centres are 4 apart, its diagonal √40.
    #expect(abs(one.generalizedIoU(other) + 1.0 / 3) < 1e-6)
    #expect(abs(one.distanceIoU(other) + 0.4) < 1e-6)
    #expect(abs(one.completeIoU(other) + 0.4) < 1e-6, "sides of one ratio")
  }

  @Test func measuresOfBoxesInOneAnother() {
    let (one, other) = (Box(x1: 0, y1: 0, x2: 4, y2: 4), Box(x1: 0, y1: 0, x2: 4, y2: 2))
    #expect(one.generalizedIoU(other) == 0.5)
    #expect(abs(one.distanceIoU(other) - (0.5 - 1.0 / 32)) < 1e-6)
    let apart = 4 / (Float.pi * Float.pi) * pow(atan(Float(1)) - atan(Float(2)), 2)
    let complete = 0.5 - 1.0 / 32 - apart * apart / (0.5 + apart)
    #expect(abs(one.completeIoU(other) - complete) < 1e-6)
    for measure in [one.generalizedIoU(one), one.distanceIoU(one), one.completeIoU(one)] {
      #expect(abs(measure - 1) < 1e-6)
    }
  }
}

@Suite struct BatchedSuppressionTests {
  /// Pairs of boxes whose overlap is above a half, one of each label.
  private func boxes(_ count: Int) -> (boxes: [Box], scores: [Float], labels: [Int]) {
    let boxes = (0..<count).map { index -> Box in
      let x = Float(index / 2 * 20)
      return Box(x1: x, y1: 0, x2: x + 10, y2: index % 2 == 0 ? 10 : 8)
    }
    return (boxes, (0..<count).map { Float($0 % 7) }, (0..<count).map { $0 / 2 % 3 })
  }

  @Test(arguments: [10, 1000, 1002])
  func keepsOneOfEachPair(count: Int) {
    let (boxes, scores, labels) = boxes(count)
    let kept = batchedSuppression(boxes, scores: scores, labels: labels, threshold: 0.5)
    #expect(Set(kept.map { $0 / 2 }).count == count / 2 && kept.count == count / 2)
    #expect(zip(kept, kept.dropFirst()).allSatisfy { scores[$0] >= scores[$1] })
  }

  @Test func movedBoxesAreRounded() {
    // An overlap of exactly a half stays; moved by label 5 of large coordinates, the edge 0.3 is no longer what it was.
    let far = Box(x1: 0, y1: 0, x2: 100_000, y2: 1)
    let boxes = [Box(x1: 0.3, y1: 0, x2: 1.3, y2: 1), Box(x1: 0.3, y1: 0, x2: 2.3, y2: 1), far]
    let few = batchedSuppression(boxes, scores: [3, 2, 1], labels: [5, 5, 0], threshold: 0.5)
    #expect(few == [0, 1, 2])
    let offset = 5 * (Float(100_000) + 1)
    #expect(offset + 0.3 - offset != 0.3)
    #expect(batchedSuppression([], scores: [], labels: [], threshold: 0.5) == [])
  }
}
