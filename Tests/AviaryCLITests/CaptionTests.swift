import Aviary
import Foundation
import Testing

@testable import AviaryCLI
@testable import AviaryZoo

@Suite("caption")
struct CaptionTests {
  /// A small captioner with first values in a portable file, and a picture.
  private func withCaptioner(_ body: (_ weights: String, _ picture: String, _ folder: String) throws -> Void)
    throws
  {
    try withTemporaryFolder { folder in
      let words = WordVocabulary(of: ["a red circle left of a blue square"])
      let loaded = try withRandomSeed(3) {
        try Zoo.untrainedNetwork(
          try Catalogue.entry("show_attend_tell"),
          settings: [
            "vocab_size": .integer(words.count), "encoder": .string("plain"),
            "encoded_image_size": .integer(4),
            "attention_dim": .integer(8), "embed_dim": .integer(8), "decoder_dim": .integer(16),
          ])
      }.bound(to: words)
      try loaded.save(to: "\(folder)/captioner.safetensors")
      try SceneGenerator(width: 48, height: 32).picture(0).image.write(to: "\(folder)/scene.png")
      try body("\(folder)/captioner.safetensors", "\(folder)/scene.png", folder)
    }
  }

  @Test("a sentence, its score, and where the network looked, never fails for want of an end")
  func caption() throws {
    try withCaptioner { weights, picture, folder in
      let arguments = ["caption", "show_attend_tell", "--weights", weights, picture, "--length", "7"]
      let told = aviary(arguments)
      #expect(told.status == 0 && told.output.contains("log p -"), "\(told.errors)")
      let drawn = aviary(arguments + ["--json", "--attention", "\(folder)/looks.png", "--beam", "2"])
      #expect(drawn.status == 0, "\(drawn.errors)")
      let record = try #require(
        (try JSONSerialization.jsonObject(with: Data(drawn.output.utf8)) as? [[String: Any]])?.first)
      let caption = try #require(record["caption"] as? String)
      let count = caption.split(separator: " ").count
      #expect(count <= 7 && (record["is_complete"] as? Bool == true || count == 7), "\(record)")
      let sheet = try Image(contentsOf: "\(folder)/looks.png")
      #expect(sheet.width >= 48 && sheet.height > 32)
    }
  }

  @Test("words and commands that do not fit are refused in a sentence")
  func refused() throws {
    try withCaptioner { weights, picture, folder in
      try #"["<pad>", "<unk>", "<start>", "<end>"]"#.write(
        toFile: "\(folder)/few.json", atomically: true, encoding: .utf8)
      let few = aviary(
        "caption", "show_attend_tell", "--weights", weights, picture, "--vocabulary", "\(folder)/few.json")
      #expect(few.status != 0 && few.errors.contains("the vocabulary has 4 words, but the network knows"))
      #expect(
        aviary("detect", "show_attend_tell", picture).errors.contains(
          "show_attend_tell captions: aviary caption"))
      #expect(aviary("caption", "resnet50", picture).errors.contains("resnet50 classifies: aviary predict"))
      #expect(aviary("caption", "show_attend_tell", "--weights", weights, picture, "--beam", "0").status == 2)
    }
  }
}
