import AviaryVision
import Testing

@Suite struct SegmentationMetricsTests {
  let truth: [UInt8] = [0, 0, 1, 1, 255, 2]
  let predicted: [UInt8] = [0, 1, 1, 1, 77, 1]

  private func map(_ labels: [UInt8]) -> LabelMap { LabelMap(width: labels.count, height: 1, labels: labels) }

  @Test func byHand() throws {
    var metrics = SegmentationMetrics(classCount: 4)
    try metrics.add(map(predicted), truth: map(truth))
    #expect(metrics.counts == [1, 1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0])
    #expect(metrics[truth: 2, predicted: 1] == 1)
    #expect(metrics.pixelAccuracy == 0.6)
    #expect(metrics.iou == [0.5, 0.5, 0, nil])
    #expect(metrics.meanIoU == 1.0 / 3)
    #expect(metrics.dice == [2.0 / 3, 2.0 / 3, 0, nil])
    #expect(metrics.meanDice == (2.0 / 3 + 2.0 / 3) / 3)
  }

  @Test func addsUpOverPictures() throws {
    var (whole, parts) = (SegmentationMetrics(classCount: 3), SegmentationMetrics(classCount: 3))
    try whole.add(map(predicted), truth: map(truth))
    try parts.add(map(Array(predicted[..<2])), truth: map(Array(truth[..<2])))
    try parts.add(map(Array(predicted[2...])), truth: map(Array(truth[2...])))
    #expect(parts == whole)
  }

  @Test func nothingCounted() throws {
    var metrics = SegmentationMetrics(classCount: 2)
    try metrics.add(map([1, 0]), truth: map([255, 255]))
    #expect(metrics.pixelAccuracy == nil && metrics.meanIoU == nil && metrics.meanDice == nil)
    #expect(metrics.iou == [nil, nil] && metrics.dice == [nil, nil])
  }

  @Test func labelsThatAreNoClasses() {
    var metrics = SegmentationMetrics(classCount: 2, ignored: nil)
    let untouched = metrics
    let truthful = #expect(throws: SegmentationMetrics.UnknownLabel.self) {
      try metrics.add(map([0, 0]), truth: map([1, 255]))
    }
    #expect(truthful?.description == "the truth label 255 at (1, 0) is none of 2 classes")
    let guessed = #expect(throws: SegmentationMetrics.UnknownLabel.self) {
      try metrics.add(map([2, 0]), truth: map([1, 1]))
    }
    #expect(guessed?.description == "the predicted label 2 at (0, 0) is none of 2 classes")
    #expect(metrics == untouched)
  }
}
