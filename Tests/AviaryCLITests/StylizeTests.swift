import Aviary
import Foundation
import Testing

@testable import AviaryCLI

@Suite("Stylising from the command line")
struct StylizeTests {
  /// A network of one style.
  private func writeStyle(to path: String) throws {
    _ = try writeWeights(of: "fast_style", ["filters": .integer(4)], to: path)
  }

  @Test("one picture to a file, several to a folder, a bad one is told")
  func onePass() throws {
    try withTemporaryFolder { folder in
      let (weights, picture) = ("\(folder)/w.safetensors", "\(folder)/a.png")
      try writeStyle(to: weights)
      try writeNoise(picture, width: 50, height: 37)
      let outcome = aviary("stylize", picture, "--weights", weights, "--output", "\(folder)/o.jpg")
      #expect(outcome.status == 0 && outcome.output.hasPrefix("\(picture): \(folder)/o.jpg, 50×37 pixels"))
      #expect(try Image(contentsOf: "\(folder)/o.jpg").height == 37)
      try Data("no picture".utf8).write(to: URL(filePath: "\(folder)/b.png"))
      let several = aviary(
        "stylize", picture, "\(folder)/b.png", "--weights", weights, "--output", "\(folder)/out", "--size",
        "20",
        "--json")
      #expect(several.status == 1 && several.errors.contains("b.png"))
      #expect(try Image(contentsOf: "\(folder)/out/a.png").width == 20)
    }
  }

  @Test("a photograph is painted with what comes with the zoo")
  func shipped() throws {
    try withTemporaryFolder { folder in
      try writeNoise("\(folder)/a.png", width: 40, height: 30)
      let outcome = aviary("stylize", "\(folder)/a.png", "--output", "\(folder)/o.png")
      #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
      #expect(try Image(contentsOf: "\(folder)/o.png").height == 30)
    }
  }

  @Test("step by step: the same seed the same bytes, also when interrupted; losses and previews are written")
  func steps() throws {
    try withTemporaryFolder { folder in
      let (weights, picture, style) = ("\(folder)/w.safetensors", "\(folder)/a.png", "\(folder)/s.png")
      _ = try writeWeights(of: "gatys_vgg16", to: weights)
      try writeNoise(picture, width: 70, height: 50)
      try writeNoise(style, width: 90, height: 90)
      func run(_ output: String, _ words: String...) -> (status: Int32, errors: String) {
        let outcome = aviary(
          ["stylize", picture, "--style", style, "--weights", weights, "--output", "\(folder)/\(output)"]
            + ["--steps", "3", "--start", "noise", "--seed", "5"] + words)
        return (outcome.status, outcome.errors)
      }
      #expect(run("1.png", "--losses", "\(folder)/l.csv", "--preview-every", "2").status == 0)
      let lines = try String(contentsOf: URL(filePath: "\(folder)/l.csv"), encoding: .utf8).split(
        separator: "\n")
      #expect(lines.count == 4 && lines[0] == "size,step,content,style,variation,total")
      let state = "\(folder)/c.safetensors"
      #expect(run("2.png", "--checkpoint", state, "--checkpoint-every", "1").status == 0)
      #expect(!FileManager.default.fileExists(atPath: state))
      #expect(
        try Data(contentsOf: URL(filePath: "\(folder)/1.png"))
          == Data(contentsOf: URL(filePath: "\(folder)/2.png")))
      try Data("x".utf8).write(to: URL(filePath: state))
      #expect(run("3.png", "--checkpoint", state).errors.contains("--resume goes on with it"))
      #expect(run("3.png", "--checkpoint", state, "--resume").status == 1)
      #expect(run("3.png", "--seed", "6").status == 0)
      #expect(
        try Data(contentsOf: URL(filePath: "\(folder)/1.png"))
          != Data(contentsOf: URL(filePath: "\(folder)/3.png")))
    }
  }

  /// Words behind `stylize a.png`, and a part of the sentence that follows.
  static let mistakes: [(words: [String], sentence: String)] = [
    ([], "nothing would be written"),
    (["--output", "o.gif"], "--output takes a file that ends in .png"),
    (["--output", "/no/such/folder/o.png"], "cannot be written"),
    (["--output", "o.png", "--model", "resnet50"], "resnet50 classifies: aviary predict"),
    (["--output", "o.png", "--steps", "3"], "--steps is of no use where a network paints in one pass"),
    (["--output", "o.png", "--style", "none.png"], "none.png"),
    (["--output", "o.png", "--style", "a.png", "--alpha", "0.5"], "--alpha is of no use"),
    (
      ["--output", "o.png", "--style", "a.png", "--blend", "1,2"],
      "--blend takes a number from 0 for each of 1"
    ),
    (
      ["--output", "o.png", "--style", "a.png", "--start", "end"],
      "--start takes one of content, noise, style"
    ),
    (["--output", "o.png", "--style", "a.png", "--backbone", "vgg11"], "--backbone takes one of"),
    (["--output", "o.png", "--style", "a.png", "--pooling", "min"], "--pooling takes max or average"),
    (
      ["--output", "o.png", "--style", "a.png", "--mask", "a.png", "--mask", "a.png"],
      "--mask was given 2 times"
    ),
    (["--output", "o.png", "--style", "a.png", "--resume"], "--resume needs the --checkpoint"),
    (["--output", "o.png", "--style", "a.png", "--losses", "l.txt"], "ends in .csv"),
    (["--output", "o.png", "--style", "a.png"], "aviary pull vgg19.keras"),
    (["--output", "o.png", "--style", "a.png", "--backbone", "vgg16"], "aviary pull vgg16.keras"),
  ]

  @Test("mistakes are one sentence", arguments: mistakes.indices)
  func errors(index: Int) throws {
    let (words, sentence) = Self.mistakes[index]
    try withTemporaryFolder { folder in
      try writeNoise("\(folder)/a.png", width: 8, height: 8)
      let placed = words.map { word in
        ["a.png", "o.png", "o.gif", "none.png", "l.txt"].contains(word) ? "\(folder)/\(word)" : word
      }
      let outcome = aviary(["stylize", "\(folder)/a.png"] + placed)
      #expect(outcome.status != 0 && outcome.errors.contains(sentence), "\(outcome.errors)")
      #expect(outcome.errors.split(separator: "\n").count == 1)
    }
  }
}
