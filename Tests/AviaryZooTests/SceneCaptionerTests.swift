import AviaryTraining
import AviaryVision
import Testing

@testable import AviaryZoo

/// The captioner that comes with the zoo.
@Suite("Captions of drawn scenes")
struct SceneCaptionerTests {
  @Test(
    "the shipped weights say of other pictures than they learned from, word for word, as often as the card says"
  )
  func exact() throws {
    let captioner = try Zoo.load(Captioner.self, "captioner_scenes")
    let scenes = try #require(try Recipe.named("captioner_scenes").scenes).pictures(isTraining: false)
    let count = 200
    var (exact, complete) = (0, 0)
    for index in 0..<count {
      let scene = scenes.picture(index)
      let caption = try captioner.caption(scene.image)
      if caption.words == WordVocabulary.split(scene.captions[0]) { exact += 1 }
      if caption.isComplete { complete += 1 }
    }
    let card = try #require(try Catalogue.entry("captioner_scenes").card().weights[0].metrics)
    let promised = try #require(card["exact_captions"])
    #expect(promised >= 0.95 && abs(Double(exact) / Double(count) - promised) < 0.04, "\(exact) of \(count)")
    #expect(complete == count)
  }
}
