import AviaryLayers
import AviaryTensors
import AviaryVision
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

private let assets = ProcessInfo.processInfo.environment["AVIARY_ASSETS"]

/// From a JPEG to logits as torchvision and timm get them: decoding, resize, crop and scale of the published weights' presets, and the
/// network with deterministic weights (`tools/reference/picture_fixtures.py`).
@Suite("Whole pipelines against their references")
struct PictureTests {
  private static let folder = Bundle.module.url(
    forResource: "pictures", withExtension: nil, subdirectory: "Fixtures")!
  private static let expected = try! GoldenFile(folder.appending(path: "logits.safetensors"))

  /// `<reference>/<model>/<picture>` in three parts.
  private static func parts(_ name: String) -> [String] {
    name.split(separator: "/", maxSplits: 2).map(String.init)
  }

  static let models = Set(expected.names.map { parts($0).prefix(2).joined(separator: ".") }).sorted()

  /// A picture of the fixtures, or a real one where `AVIARY_ASSETS` names a folder with some; nil without.
  private func path(_ picture: String) -> String? {
    picture == "synthetic.jpg"
      ? Self.folder.appending(path: picture).path : assets.map { "\($0)/images/\(picture)" }
  }

  @Test("every logit within 1e-2, eager and compiled", arguments: models)
  func logits(model name: String) throws {
    let reference = try ReferenceNetwork(name)
    var compiled: CompiledModel?
    var largest: Float = 0
    for key in Self.expected.names where Self.parts(key).prefix(2).joined(separator: ".") == name {
      let picture = Self.parts(key)[2]
      guard let path = path(picture) else { continue }
      let input = reference.dialect.preprocessing(try Image(contentsOf: path))
      let expected = try #require(Self.expected[key])
      largest = max(largest, expected.abs().values().max() ?? 0)
      let program = compiled ?? reference.model.compiled(for: input.shape)
      compiled = program
      for logits in [reference.model(input), program(input)] {
        try #require(logits.shape == [1] + expected.shape)
        let difference = (logits - expected).abs().values().max() ?? .infinity
        #expect(difference <= 1e-2, "\(picture)")
        #expect(
          logits.argMax().values(of: Int64.self)
            == expected.reshaped(logits.shape).argMax().values(of: Int64.self))
      }
    }
    // So that 1e-2 means something: the logits of all these networks reach beyond it by far.
    #expect(largest > 0.4)
    CachingAllocator.trim()
  }
}

@Suite("Presets of published weights")
struct PresetTests {
  /// What torchvision or timm say of a set of weights.
  private struct Preset: Decodable {
    let model: String
    let dialect: String
    let resize: Int
    let crop: Int
    let interpolation: String
    let mean: [Float]
    let std: [Float]
    let file: String?
    let top1: Double?
    let top5: Double?
    let gigaMultiplyAdds: Double?
  }

  private func presets() throws -> [Preset] {
    let url = try #require(
      Bundle.module.url(forResource: "presets", withExtension: "json", subdirectory: "Fixtures/pictures"))
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode([Preset].self, from: Data(contentsOf: url))
  }

  @Test(
    "resize, crop, interpolation, mean and deviation are torchvision's and timm's, for every dialect of theirs"
  )
  func preprocessing() throws {
    var known = Set<String>()
    for preset in try presets() {
      let name = "\(preset.model).\(preset.dialect)"
      known.insert(name)
      let dialect = try #require(try Catalogue.entry(preset.model).dialect(named: preset.dialect), "\(name)")
      let ours = dialect.preprocessing
      #expect(ours.resize == .shortSide(preset.resize) && ours.crop == preset.crop, "\(name)")
      #expect(ours.interpolation.rawValue == preset.interpolation, "\(name)")
      #expect(ours.channels == .rgb && ours.rounding == .torchvision, "\(name)")
      for channel in 0..<3 {
        // (x / divisor − mean) / std as a slope and what 0 becomes.
        let (slope, theirs) = (1 / (ours.divisor * ours.std[channel]), 1 / (255 * preset.std[channel]))
        #expect(abs(slope / theirs - 1) < 1e-6, "\(name)")
        let zeros = (ours.mean[channel] / ours.std[channel], preset.mean[channel] / preset.std[channel])
        #expect(abs(zeros.0 / zeros.1 - 1) < 1e-6, "\(name)")
      }
    }
    let all = Catalogue.entries(.classification).flatMap { entry in
      entry.dialects.map { "\(entry.name).\($0.name)" }.filter { $0.contains(".tv_") || $0.contains(".timm") }
    }
    #expect(known == Set(all))
  }

  @Test("cards say what torchvision publishes: files, accuracies, multiply-adds")
  func cards() throws {
    for preset in try presets() {
      guard let file = preset.file else { continue }
      let card = try Catalogue.entry(preset.model).card()
      let weights = try #require(
        card.weights.first { $0.dialect == preset.dialect }, "\(preset.model).\(preset.dialect)")
      #expect(weights.file == file && weights.framework == "torchvision")
      #expect(weights.top1 == preset.top1 && weights.top5 == preset.top5, "\(file)")
      let published = try #require(preset.gigaMultiplyAdds)
      #expect(abs(card.gigaMultiplyAdds - published) < 1e-3, "\(file)")
    }
  }
}
