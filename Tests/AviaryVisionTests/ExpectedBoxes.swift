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
  func pictures(_ count: Int) -> [(detections: [Detection], truth: [Instance])] {
    (0..<count).map { picture in
      let detections = detections.filter { Int($0[0]) == picture }.map {
        Detection(box: Box(coco: Array($0[1..<5]))!, label: "", labelIndex: Int($0[5]), score: $0[6])
      }
      let truth = objects.filter { Int($0[0]) == picture }.map {
        Instance(box: Box(coco: Array($0[1..<5]))!, labelIndex: Int($0[5]), isCrowd: $0[6] == 1)
      }
      return (detections, truth)
    }
  }
}
