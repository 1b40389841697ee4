import Aviary
import Foundation
import Testing

@testable import AviaryCLI

/// What users of command lines expect of any of them.
@Suite("Habits")
struct HabitTests {
  @Test("help and version in each of their forms")
  func help() {
    for words in [["help", "list"], ["list", "--help"], ["list", "-h"]] {
      #expect(aviary(words).output.hasPrefix("aviary list [PATTERN] [OPTIONS]"))
    }
    #expect(aviary("help", "lits").errors.contains("did you mean list?"))
    for word in ["-V", "--version"] { #expect(aviary(word).output == "aviary \(Program.version)") }
    #expect(aviary().status == 2 && aviary("help").status == 0)
  }

  @Test("suggestions are made where something is near, and only there")
  func suggestions() {
    #expect(aviary("info", "resnet5O").errors.contains("did you mean resnet50?"))
    #expect(aviary("info", "convnext").errors.contains("did you mean convnext_tiny?"))
    #expect(
      aviary("info", "zebra").errors == "aviary: there is no model called zebra: 'aviary list' shows all")
    #expect(aviary("frobnicate").errors == "aviary: there is no command frobnicate: 'aviary help' shows all")
    #expect(aviary("list", "--frobnicate").errors == "aviary: list has no option --frobnicate")
  }

  @Test("MobileNet v1 without a width is that of width 1.0")
  func mobilenet() throws {
    #expect(try Catalogue.entry("mobilenet_v1").name == "mobilenet_v1_1.0")
    #expect(try Catalogue.selection("mobilenet_v1.keras").weights?.name == "mobilenet_v1_1.0.keras")
    #expect(throws: UnknownModel.self) { try Catalogue.entry("mobilenet_v11") }
  }

  @Test("list by pattern, family and what is in the cache")
  func list() throws {
    func names(_ words: String...) throws -> [String] {
      let outcome = aviary(["list", "--json"] + words)
      let json = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [[String: Any]]
      return try #require(json).compactMap { $0["name"] as? String }
    }
    #expect(try names("vgg1?") == ["vgg11", "vgg13", "vgg16", "vgg19"])
    #expect(
      try names("resnet50") == [
        "resnet50", "wide_resnet50_2", "resnet50_v2", "fcn_resnet50", "deeplabv3_resnet50", "detr_resnet50",
        "fasterrcnn_resnet50_fpn", "fasterrcnn_resnet50_fpn_v2", "maskrcnn_resnet50_fpn",
        "maskrcnn_resnet50_fpn_v2", "retinanet_resnet50_fpn", "retinanet_resnet50_fpn_v2",
        "fcos_resnet50_fpn",
      ])
    #expect(
      try names("resnet50", "--task", "classification", "--weights", "Keras") == ["resnet50", "resnet50_v2"])
    #expect(
      try names("--task", "segmentation") == [
        "unet", "unet_bilinear", "unet_scenes", "unet_drive", "unet_brain", "hed", "fcn_resnet50",
        "deeplabv3_resnet50",
      ])
    #expect(
      aviary("list", "--task", "segment").errors.contains(
        "there is no task segment; there are classification"))
    #expect(aviary("list", "--weights", "caffe").errors.contains("there is no publisher caffe"))
    #expect(try names("--family", "vit", "*_32") == ["vit_b_32", "vit_l_32"])
    try withTemporaryFolder { folder in
      try WeightCache.$current.withValue(WeightCache(folder: folder)) { () throws in
        #expect(try names("--cached") == [])
        #expect(aviary("list", "--cached").status == 1)
      }
    }
    #expect(aviary("list", "--family", "none").errors.contains("there are LeNet"))
    #expect(aviary("list", "resnett50").errors.contains("did you mean resnet50?"))
  }

  @Test("no sentence ends in nothing")
  func emptyWords() {
    #expect(aviary("predict", "lenet", "").errors.contains("an argument is empty"))
    #expect(aviary("predict", "lenet", "x.png", "--weights", "").errors.contains("--weights has an empty"))
    #expect(aviary("predict", "lenet", "x.png", "--top", "no").errors.hasSuffix("not 'no'"))
    #expect(aviary("list", "--family", "--cached").errors == "aviary: --family needs a value: NAME")
    #expect(aviary("list", "--family=--cached").errors.contains("there is no family --cached"))
  }

  @Test("files that cannot be written: the system's reason and the path")
  func unwritable() throws {
    let outcome = aviary("draw", "digits", "/proc/none")
    #expect(outcome.status == 1 && outcome.errors.hasSuffix(": No such file or directory"))
    let image = Image(width: 1, height: 1, model: .grey, pixels: [0])
    let error = #expect(throws: ImageError.self) { try image.write(to: "/proc/none/x.png") }
    #expect(error?.description == "cannot write /proc/none/x.png: No such file or directory")
  }
}

@Suite("Documents")
struct DocumentTests {
  @Test("README's tables of models are the catalogue's: tools/model-table writes them anew")
  func table() throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../README.md")
    let readme = try String(contentsOf: file, encoding: .utf8)
    let outcome = aviary("list", "--markdown")
    #expect(outcome.status == 0 && outcome.output.contains("`unet_bilinear`"))
    #expect(
      readme.contains("-->\n\n\(outcome.output.trimmingCharacters(in: .newlines))\n\n<!-- end of the models"))
  }
}
