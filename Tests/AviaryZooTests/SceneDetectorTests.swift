import AviaryTraining
import AviaryVision
import Testing

@testable import AviaryZoo

/// The shipped detector that proposes regions first.
@Suite("Faster R-CNN on drawn scenes")
struct SceneDetectorTests {
  @Test("the shipped weights find on forty other pictures than they learned from what the card says")
  func weights() throws {
    let detector = try Zoo.load(Detector.self, "fasterrcnn_scenes")
    let scenes = try #require(try Recipe.named("fasterrcnn_scenes").scenes).pictures(isTraining: false)
    let pictures = RenumberedObjects(scenes, from: 1)
    var evaluation = COCOEvaluation(.boxes)
    for index in 0..<40 {
      let picture = try pictures.picture(index)
      evaluation.add(try detector.detect(picture.image, threshold: 0.001), objects: picture.instances)
    }
    let card = try #require(try Catalogue.entry("fasterrcnn_scenes").card().weights[0].metrics)
    let summary = evaluation.summary
    let (at50, precision) = (try #require(summary.at50), try #require(summary.averagePrecision))
    #expect(at50 >= 0.8 && abs(at50 - (card["map50"] ?? 0)) < 0.06, "\(at50)")
    #expect(abs(precision - (card["map"] ?? 0)) < 0.06, "\(precision)")
  }

  @Test("objects are named by their forms, and a plain picture has none")
  func names() throws {
    let detector = try Zoo.load(Detector.self, "fasterrcnn_scenes")
    #expect(detector.labels == ["background"] + SceneShape.allCases.map(\.rawValue))
    let plain = Image(width: 96, height: 96, model: .rgb, pixels: Array(repeating: 40, count: 3 * 96 * 96))
    #expect(try detector.detect(plain).isEmpty)
    let scenes = try #require(try Recipe.named("fasterrcnn_scenes").scenes).pictures(isTraining: false)
    let found = try detector.detect(scenes.picture(0).image)
    #expect(!found.isEmpty && found.allSatisfy { detector.labels[$0.labelIndex] == $0.label })
  }
}
