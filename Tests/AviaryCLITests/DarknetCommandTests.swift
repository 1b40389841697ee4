import Aviary
import Foundation
import Testing

@testable import AviaryCLI

@Suite("Networks of darknet's from the command line")
struct DarknetCommandTests {
  private static let cfg = """
    [net]
    width=32
    height=32
    channels=3
    [convolutional]
    batch_normalize=1
    filters=8
    size=3
    stride=2
    pad=1
    activation=mish
    [convolutional]
    filters=14
    activation=linear
    [yolo]
    mask=0,1
    anchors=8,8, 16,16
    classes=2
    num=2
    """

  /// A `.cfg`, and its weights from first values, without names.
  private func write(in folder: String) throws -> (cfg: String, weights: String) {
    let (cfg, portable, weights) = ("\(folder)/a.cfg", "\(folder)/first.safetensors", "\(folder)/a.weights")
    try Self.cfg.write(toFile: cfg, atomically: true, encoding: .utf8)
    try Zoo.untrainedNetwork(try Catalogue.selection(cfg).entry).save(to: portable)
    let outcome = aviary("convert", portable, weights)
    #expect(outcome.status == 0, "\(outcome.errors)")
    return (cfg, weights)
  }

  @Test("converted there and back, checked; found by the .cfg, beside the weights, or in a portable file")
  func detect() throws {
    try withTemporaryFolder { folder in
      let (cfg, weights) = try write(in: folder)
      let (portable, again) = ("\(folder)/b.safetensors", "\(folder)/c.weights")
      for words in [[weights, portable, "--model", cfg], [portable, again, "--model", cfg]] {
        let outcome = aviary(["convert"] + words + ["--check"])
        #expect(outcome.status == 0 && outcome.output.contains("bit-equal"), "\(outcome)")
      }
      #expect(
        try Data(contentsOf: URL(filePath: weights)) == Data(contentsOf: URL(filePath: again)))
      let picture = "\(folder)/p.png"
      try writeNoise(picture, width: 50, height: 40)
      try "cat\ndog\n".write(toFile: "\(folder)/a.names", atomically: true, encoding: .utf8)
      for (model, file) in [(cfg, weights), ("darknet", weights), ("darknet", portable)] {
        let outcome = aviary("detect", model, "--weights", file, picture, "--threshold", "0.05")
        #expect(outcome.status == 0 && outcome.output.contains("objects"), "\(outcome)")
        #expect(outcome.output.contains(file == portable ? "label " : "dog"), "\(outcome.output)")
      }
      #expect(aviary("info", cfg).output.contains("images N×3×32×32"))
      #expect(aviary("info", cfg + ".pjreddie").output.contains("pjreddie"))
      let half = aviary("convert", portable, "\(folder)/h.weights", "--dtype", "f16")
      #expect(half.status == 1 && half.errors.contains("float32 values alone"), "\(half)")
      let other = aviary("convert", weights, "\(folder)/h.npz", "--model", "unet")
      #expect(other.status == 1, "\(other)")
    }
  }

  @Test("what is wrong with a .cfg or its weights is told in one sentence")
  func wrong() throws {
    try withTemporaryFolder { folder in
      let (cfg, weights) = try write(in: folder)
      for (text, words) in [
        (Self.cfg.replacingOccurrences(of: "filters=8", with: "filters=9"), "numbers, the weights have"),
        (
          Self.cfg.replacingOccurrences(of: "filters=8", with: "filters=-8"),
          "line 7, [convolutional] filters is -8"
        ),
        (Self.cfg.replacingOccurrences(of: "[yolo]", with: "[gaussian]"), "line 15, [gaussian]"),
        ("", "[net]"),
      ] {
        try text.write(toFile: cfg, atomically: true, encoding: .utf8)
        let outcome = aviary("detect", cfg, "--weights", weights, "\(folder)/p.png")
        #expect(outcome.status == 1 && outcome.output.isEmpty, "\(outcome)")
        #expect(
          outcome.errors.contains(words) && outcome.errors.split(separator: "\n").count == 1, "\(outcome)")
      }
      try Self.cfg.write(toFile: cfg, atomically: true, encoding: .utf8)
      let numbers = try Data(contentsOf: URL(filePath: weights))
      try writeNoise("\(folder)/p.png", width: 20, height: 20)
      for (data, words) in [
        (numbers.dropLast(400), "numbers, the weights have"), (numbers.dropLast(3), "not a whole number"),
        (numbers + Data(count: 4_000), "numbers, the weights have"),
        (numbers.prefix(17), "truncated: 8 bytes were expected"),
      ] {
        try data.write(to: URL(filePath: weights))
        let outcome = aviary("detect", cfg, "--weights", weights, "\(folder)/p.png")
        #expect(outcome.status == 1 && outcome.output.isEmpty, "\(outcome)")
        #expect(
          outcome.errors.contains(words) && outcome.errors.split(separator: "\n").count == 1,
          "\(data.count): \(outcome.errors)")
      }
      let info = aviary("info", cfg)
      #expect(
        info.output.hasPrefix("A network of a .cfg (darknet, dialect alexeyab)"), "\(info.output.prefix(200))"
      )
      #expect(!info.output.contains("YOLOv3") && aviary("info", "darknet").output.contains("YOLOv3"))
      #expect(aviary("detect", "\(folder)/none.cfg", "x.png").errors.contains("cannot be read"))
    }
  }
}
