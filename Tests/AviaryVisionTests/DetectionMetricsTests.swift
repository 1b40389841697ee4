import AviaryVision
import Foundation
import Testing

/// What pycocotools makes of random boxes; written by `tools/reference/box_fixtures.py`.
struct ExpectedBoxes: Decodable, CustomTestStringConvertible {
  struct Kept: Decodable {
    let threshold: Double
    let indices: [Int]
  }

  let name: String
  let pictures: Int
  /// Picture, x, y, width, height, label, score.
  let detections: [[Float]]
  /// Picture, x, y, width, height, label, whether it is a crowd.
  let objects: [[Float]]
  /// Average precision, the one at .50 and the one at .75.
  let scores: [Double]?
  let classes: [[Double]?]
  let kept: [Kept]

  var testDescription: String { name }

  static let all = try! JSONDecoder().decode(
    [ExpectedBoxes].self, from: Data(Expected.bytes(of: "boxes.json")))

  /// The first `count` pictures.
  func pictures(_ count: Int) -> [(detections: [Detection], truth: [TrueObject])] {
    (0..<count).map { picture in
      let detections = detections.filter { Int($0[0]) == picture }.map {
        Detection(box: Box(coco: Array($0[1..<5]))!, label: "", labelIndex: Int($0[5]), score: $0[6])
      }
      let truth = objects.filter { Int($0[0]) == picture }.map {
        TrueObject(box: Box(coco: Array($0[1..<5]))!, labelIndex: Int($0[5]), isCrowd: $0[6] == 1)
      }
      return (detections, truth)
    }
  }
}

@Suite struct DetectionMetricsTests {
  private func isClose(_ scores: DetectionMetrics.Scores?, _ expected: [Double]?) -> Bool {
    guard let scores, let expected else { return scores == nil && expected == nil }
    return zip([scores.averagePrecision, scores.at50, scores.at75], expected).allSatisfy {
      abs($0 - $1) < 1e-12
    }
  }

  @Test(arguments: ExpectedBoxes.all)
  func equalsPycocotools(expected: ExpectedBoxes) {
    var metrics = DetectionMetrics()
    for picture in expected.pictures(expected.pictures) {
      metrics.add(picture.detections, truth: picture.truth)
    }
    #expect(isClose(metrics.scores, expected.scores), "\(String(describing: metrics.scores))")
    for (label, scores) in expected.classes.enumerated() {
      #expect(isClose(metrics.scores(of: label), scores), "class \(label)")
    }
    #expect(metrics.classes == expected.classes.indices.filter { expected.classes[$0] != nil })
  }

  /// The case of 144 detections in a picture tells whether the hundred best are taken.
  @Test func onlyTheBestCount() throws {
    let expected = try #require(ExpectedBoxes.all.first { $0.name == "many" })
    let picture = expected.pictures(1)[0]
    var all = DetectionMetrics(maximumCount: picture.detections.count)
    all.add(picture.detections, truth: picture.truth)
    #expect(!isClose(all.scores, expected.scores))
  }

  let box = Box(x1: 0, y1: 0, x2: 8, y2: 8)

  private func detection(_ box: Box, _ label: Int = 1, score: Float = 0.5) -> Detection {
    Detection(box: box, label: "\(label)", labelIndex: label, score: score)
  }

  /// An intersection over union of 6/8 reaches six of the ten thresholds, .75 among them.
  @Test func thresholdsThatAreReached() throws {
    var metrics = DetectionMetrics()
    metrics.add(
      [detection(Box(x1: 0, y1: 0, x2: 8, y2: 6))], truth: [TrueObject(box: box, labelIndex: 1)])
    let scores = try #require(metrics.scores)
    #expect(abs(scores.averagePrecision - 0.6) < 1e-12)
    #expect(abs(scores.at50 - 1) < 1e-12 && abs(scores.at75 - 1) < 1e-12)
  }

  /// The second detection of an object is wrong; with the worse score it costs nothing, with the better one the precision is a half.
  @Test func anObjectIsFoundOnce() throws {
    for (score, expected) in [(Float(0.25), 1.0), (0.75, 0.5)] {
      var metrics = DetectionMetrics()
      let beside = Box(x1: 20, y1: 0, x2: 28, y2: 8)
      metrics.add(
        [detection(box), detection(beside, score: score)], truth: [TrueObject(box: box, labelIndex: 1)])
      #expect(abs(try #require(metrics.scores).averagePrecision - expected) < 1e-12)
    }
  }

  @Test func classesWithoutObjectsDoNotCount() throws {
    var metrics = DetectionMetrics()
    #expect(metrics.scores == nil)
    metrics.add(
      [detection(box, 1), detection(box, 2), detection(box, 3)],
      truth: [TrueObject(box: box, labelIndex: 1), TrueObject(box: box, labelIndex: 2, isCrowd: true)])
    #expect(metrics.classes == [1])
    #expect(metrics.scores(of: 2) == nil && metrics.scores(of: 3) == nil)
    #expect(abs(try #require(metrics.scores).averagePrecision - 1) < 1e-12)
  }

  @Test func nothingFound() {
    var metrics = DetectionMetrics()
    metrics.add([], truth: [TrueObject(box: box, labelIndex: 7)])
    #expect(metrics.scores?.averagePrecision == 0 && metrics.scores?.at50 == 0)
  }
}
