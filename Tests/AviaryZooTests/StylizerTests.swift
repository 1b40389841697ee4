import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

@Suite("Stylizers")
struct StylizerTests {
  @Test(
    "networks of one style equal pytorch/examples'", arguments: ["fast_style": 32, "fast_style_small": 8])
  func fastStyle(name: String, filters: Int) throws {
    let fixture = try denseFixture("style")
    let network = FastStyle(.init(filters: filters))
    network.fillDeterministically()
    let parameters = try #require(fixture["\(name).parameters"]).item(as: Int64.self)
    #expect(network.parameterCount == Int(parameters))
    let expected = try #require(fixture["\(name).out"])
    try network.expectOutput("out", of: ["input": deterministicInput([1, 3, 18, 21])], toBe: expected)
    network.expectGradients(of: "out", ["input": deterministicInput([2, 3, 16, 12])])
  }

  @Test("AdaIN equals its reference at relu3_1 and at relu4_1", arguments: [3, 4])
  func adain(level: Int) throws {
    let fixture = try denseFixture("style")
    let loaded = try deterministicNetwork("adain", ["level": .integer(level), "alpha": .number(0.75)])
    let parameters = try #require(fixture["adain\(level).parameters"]).item(as: Int64.self)
    #expect(loaded.network.parameterCount == Int(parameters))
    let inputs: NamedTensors = [
      "content": deterministicInput([1, 3, 18, 21]),
      "style": deterministicInput([1, 3, 25, 16], named: "input 1"),
    ]
    try loaded.network.expectOutput("out", of: inputs, toBe: try #require(fixture["adain\(level).out"]))
  }

  @Test("the running statistics of old files of one style are left out, and told")
  func deprecated() throws {
    let source = try deterministicNetwork("fast_style", ["filters": .integer(4)])
    var archive = try WeightArchive(source.network.stateEntries.map { ($0.name, $0.value) })
    for name in ["in1", "res3.in2"] {
      try archive.append("\(name).running_mean", .zeros([4]))
      try archive.append("\(name).running_var", .ones([4]))
    }
    try withTemporaryFolder { folder in
      try WeightFile.write(archive, to: "\(folder)/w.safetensors", as: .safetensors)
      let loaded = try Zoo.network("fast_style", weights: "\(folder)/w.safetensors")
      #expect(loaded.settings["filters"] == .integer(4) && loaded.dialect.name == "pytorch")
      #expect(loaded.changes.count == 1 && loaded.changes[0].contains("in1.running_mean"))
      try archive.append("other", .zeros([1]))
      try WeightFile.write(archive, to: "\(folder)/x.safetensors", as: .safetensors)
      #expect(throws: WeightsError.self) { try Zoo.network("fast_style", weights: "\(folder)/x.safetensors") }
    }
  }

  @Test("pictures keep their size, from one pixel on, grey ones too; copies give the same")
  func sizes() throws {
    let stylizer = try Stylizer(try deterministicNetwork("fast_style", ["filters": .integer(4)]))
    #expect(!stylizer.takesStyles)
    for (width, height, model) in [(1, 1, Image.Model.rgb), (50, 37, .grey), (3, 40, .rgb), (8, 8, .rgb)] {
      let picture = noisePicture(width: width, height: height, model)
      let painted = try stylizer.stylize(picture)
      #expect(painted.width == width && painted.height == height && painted.model == .rgb)
      #expect(try stylizer.copy().stylize(picture) == painted)
    }
    let adain = try Stylizer(try deterministicNetwork("adain", ["level": .integer(2)]))
    let styles = [
      Stylizer.Style(noisePicture(width: 1, height: 2)),
      Stylizer.Style(noisePicture(width: 64, height: 9, seed: 5), weight: 3),
    ]
    for (width, height) in [(1, 1), (20, 13)] {
      let picture = noisePicture(width: width, height: height)
      let painted = try adain.stylize(picture, styles: styles)
      #expect(painted.width == width && painted.height == height)
      #expect(try adain.stylize(picture, styles: styles, alpha: 0) != painted)
    }
  }

  @Test("mixing one style with itself changes nothing, and alpha 0 leaves the content")
  func mixing() throws {
    let stylizer = try Stylizer(try deterministicNetwork("adain", ["level": .integer(1)]), execution: .exact)
    let (content, style) = (noisePicture(width: 16, height: 12), noisePicture(width: 9, height: 14, seed: 3))
    let one = try stylizer.stylize(content, styles: [.init(style)])
    let two = try stylizer.stylize(content, styles: [.init(style, weight: 2), .init(style, weight: 2)])
    #expect(zip(one.pixels, two.pixels).allSatisfy { abs(Int($0) - Int($1)) <= 1 })
    let none = try stylizer.stylize(content, styles: [.init(style)], alpha: 0)
    #expect(none == (try stylizer.stylize(content, styles: [.init(content)], alpha: 0)))
  }

  @Test("what is no such network or picture is said to be so")
  func errors() throws {
    #expect(throws: WrongTask(model: "resnet50", task: .classification)) {
      try Zoo.load(Stylizer.self, "resnet50")
    }
    let gatys = #expect(throws: UnsuitableStylizer.self) {
      try Stylizer(try deterministicNetwork("gatys_vgg16"))
    }
    #expect(gatys?.description.contains("step by step") == true)
    #expect(throws: UnsuitableStylizer.self) {
      try StyleTransfer(
        try deterministicNetwork("adain"), content: noisePicture(width: 4, height: 4),
        styles: [.init(noisePicture(width: 4, height: 4))])
    }
    let own = try Stylizer(try deterministicNetwork("fast_style", ["filters": .integer(4)]))
    let picture = noisePicture(width: 8, height: 8)
    #expect(throws: UnsuitableStylizer.self) { try own.stylize(picture, styles: [.init(picture)]) }
    #expect(throws: UnsuitablePicture.self) { try own.stylize(noisePicture(width: 4000, height: 2000)) }
    let other = try Stylizer(try deterministicNetwork("adain", ["level": .integer(1)]))
    #expect(throws: UnsuitableStylizer.self) { try other.stylize(picture) }
    for change: @Sendable (inout PortableMetadata) -> Void in [
      { $0.preprocessing = nil }, { $0.preprocessing?.height = 8 },
      { $0.preprocessing = .init(channels: .grey) },
      { $0.preprocessing?.resizeShorterSide = 9 }, { $0.preprocessing?.standardDeviation = [0] },
    ] {
      #expect(throws: WeightsError.self) { try Stylizer(try changed(change)) }
    }
    #expect(throws: ConfigurationError.self) {
      try Stylizer(try changed { $0.taskSettings = ["strength": .integer(1)] })
    }
  }

  private func changed(_ change: (inout PortableMetadata) -> Void) throws -> LoadedNetwork {
    var loaded = try deterministicNetwork("fast_style", ["filters": .integer(4)])
    change(&loaded.metadata)
    return loaded
  }

  @Test("an encoder and a decoder in two files become one network")
  func parts() throws {
    let source = try deterministicNetwork("adain", ["level": .integer(3)])
    try withTemporaryFolder { folder in
      for part in ["encoder", "decoder"] {
        let entries = source.network.stateEntries.filter { $0.name.hasPrefix(part) }
        var archive = try WeightArchive(entries.map { (String($0.name.dropFirst(part.count + 1)), $0.value) })
        // Published encoders go on.
        if part == "encoder" { try archive.append("29.weight", .zeros([512, 256, 3, 3])) }
        try WeightFile.write(archive, to: "\(folder)/\(part).safetensors", as: .safetensors)
      }
      let encoder = "\(folder)/encoder.safetensors"
      let loaded = try Zoo.network(
        "adain", weights: encoder, settings: ["decoder": .string("\(folder)/decoder.safetensors")])
      #expect(loaded.settings["level"] == .integer(3) && loaded.settings["decoder"] == .null)
      for (one, other) in zip(loaded.network.stateEntries, source.network.stateEntries) {
        #expect(one.name == other.name && one.value.values() == other.value.values())
      }
      try loaded.withExamples([3, 16, 16]).save(to: "\(folder)/whole.safetensors")
      let again = try Zoo.network("adain", weights: "\(folder)/whole.safetensors")
      #expect(again.settings["level"] == .integer(3) && again.changes.isEmpty)
      #expect(throws: WeightsError.self) { try Zoo.network("adain", weights: encoder) }
      #expect(throws: ConfigurationError.self) {
        try Zoo.network("adain", weights: encoder, settings: ["decoder": .integer(1)])
      }
      #expect(throws: WeightsError.self) {
        try Zoo.network("adain", weights: encoder, settings: ["decoder": .string("\(folder)/none.pth")])
      }
    }
  }
}
