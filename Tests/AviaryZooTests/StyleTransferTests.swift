import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

@Suite("Style transfer step by step")
struct StyleTransferTests {
  private func network() throws -> LoadedNetwork {
    try deterministicNetwork("gatys_vgg16", ["pooling": .string("average")])
  }

  /// Three steps at each of two sizes.
  private var options: StyleTransferOptions {
    var options = StyleTransferOptions()
    (options.size, options.steps, options.start, options.seed) = (150, 3, .noise, 7)
    return options
  }

  private let content = noisePicture(width: 150, height: 90)
  private let styles = [Stylizer.Style(noisePicture(width: 400, height: 300, seed: 9))]

  private func transfer(_ options: StyleTransferOptions, masks: [Image] = []) throws -> StyleTransfer {
    try StyleTransfer(try network(), content: content, styles: styles, masks: masks, options: options)
  }

  private func finished(_ transfer: StyleTransfer) throws -> Image {
    while !transfer.isDone { try transfer.step() }
    return try transfer.picture()
  }

  @Test("losses fall, through the sizes, and the result has the size asked for")
  func falls() throws {
    var options = options
    (options.steps, options.start) = (8, .content)
    let transfer = try transfer(options)
    let result = try finished(transfer)
    #expect(result.width == 150 && result.height == 90)
    #expect(transfer.losses.map(\.size) == Array(repeating: 75, count: 8) + Array(repeating: 150, count: 8))
    #expect(transfer.losses[7].total < 0.7 * transfer.losses[0].total)
    #expect(transfer.losses[15].total < transfer.losses[8].total)
  }

  @Test("the same seed gives the same bytes, another one others; Adam gives others", arguments: [64, 640])
  func seeds(tile: Int) throws {
    var options = options
    options.tile = tile
    let first = try finished(try transfer(options))
    #expect(try finished(try transfer(options)) == first)
    options.seed = 8
    #expect(try finished(try transfer(options)) != first)
    (options.seed, options.optimizer) = (7, .adam)
    #expect(try finished(try transfer(options)) != first)
  }

  @Test(
    "an interrupted run goes on to the same bytes, at any step",
    arguments: StyleTransferOptions.Optimizer.allCases)
  func resume(optimizer: StyleTransferOptions.Optimizer) throws {
    var options = options
    options.optimizer = optimizer
    let whole = try finished(try transfer(options))
    try withTemporaryFolder { folder in
      for stop in [1, 3, 4] {
        let path = "\(folder)/state.safetensors"
        let first = try transfer(options)
        for _ in 0..<stop { try first.step() }
        try first.save(to: path)
        let second = try transfer(options)
        try second.restore(from: path)
        #expect(second.losses == first.losses)
        #expect(try finished(second) == whole, "after \(stop) steps")
      }
    }
  }

  @Test("a state that is damaged, or of another run, is refused, and the run stays as it was")
  func states() throws {
    let source = try transfer(options)
    try source.step()
    try withTemporaryFolder { folder in
      let path = "\(folder)/state.safetensors"
      try source.save(to: path)
      var other = options
      other.styleWeight = 3
      #expect(throws: WeightsError.self) { try transfer(other).restore(from: path) }
      let stranger = try StyleTransfer(
        try network(), content: noisePicture(width: 150, height: 90, seed: 1), styles: styles,
        options: options)
      #expect(throws: WeightsError.self) { try stranger.restore(from: path) }
      #expect(stranger.losses.isEmpty)
      #expect(throws: WeightsError.self) { try source.restore(from: "\(folder)/none.safetensors") }
      var bytes = try Data(contentsOf: URL(filePath: path))
      bytes[bytes.count - 5] ^= 1
      try bytes.write(to: URL(filePath: path))
      #expect(throws: WeightsError.self) { try source.restore(from: path) }
      try bytes.prefix(300).write(to: URL(filePath: path))
      #expect(throws: WeightsError.self) { try source.restore(from: path) }
      #expect(throws: WeightsError.self) { try source.save(to: "\(folder)/no/folder/state.safetensors") }
    }
  }

  @Test("the content's colours can stay")
  func colours() throws {
    var options = options
    (options.keepsColours, options.sizes) = (true, 1)
    let result = try finished(try transfer(options))
    // Differences of channels are the content's, where nothing is cut off.
    let inside = result.pixels.indices.filter { index in
      let place = index - index % 3
      return result.pixels[place..<place + 3].allSatisfy { (1...254).contains($0) }
    }
    #expect(inside.count > 1000)
    for index in inside {
      let place = index - index % 3
      let own = Int(result.pixels[index]) - Int(result.pixels[place])
      let wanted = Int(content.pixels[index]) - Int(content.pixels[place])
      #expect(abs(own - wanted) <= 1)
    }
  }

  @Test("a black mask keeps a style away: what it covers only has the content")
  func masks() throws {
    var options = options
    (options.sizes, options.start, options.variationWeight) = (1, .content, 0)
    let black = Image(width: 4, height: 4, model: .grey, pixels: Array(repeating: 0, count: 16))
    let result = try finished(try transfer(options, masks: [black]))
    #expect(result == content)
    let white = Image(width: 4, height: 4, model: .grey, pixels: Array(repeating: 255, count: 16))
    #expect(try finished(try transfer(options, masks: [white])) != content)
  }

  @Test("pictures of one pixel, of one colour and in grey are pictures too")
  func small() throws {
    for picture in [
      noisePicture(width: 1, height: 1), noisePicture(width: 40, height: 3, .grey),
      Image(width: 20, height: 20, model: .rgb, pixels: Array(repeating: 0, count: 1200)),
    ] {
      for start in StyleTransferOptions.Start.allCases {
        var options = options
        options.start = start
        let transfer = try StyleTransfer(
          try network(), content: picture,
          styles: [.init(picture), .init(noisePicture(width: 1, height: 1))],
          options: options)
        let result = try finished(transfer)
        #expect(result.width == picture.width && result.height == picture.height)
      }
    }
  }
}

private let assets = ProcessInfo.processInfo.environment["AVIARY_ASSETS"]

@Suite(
  "Real weights of style transfer and edges",
  .enabled(if: assets != nil, "AVIARY_ASSETS names no folder with real weights"))
struct StyleAssetTests {
  private func weights(_ file: String) throws -> String { "\(try #require(assets))/weights/\(file)" }
  private func reference() throws -> GoldenFile {
    try GoldenFile(URL(filePath: "\(try #require(assets))/data/reference_torch.safetensors"))
  }

  @Test("wave, from TensorFlow's variables and from PyTorch's names alike")
  func wave() throws {
    let fixture = try reference()
    for file in ["faststyle_wave.safetensors", "faststyle_wave_tf.h5"] {
      let loaded = try Zoo.network("fast_style", weights: try weights(file))
      #expect(loaded.dialect.name == "engstrom")
      let input = try #require(fixture["faststyle_wave.input"])
      try loaded.network.expectOutput(
        "out", of: ["input": input], toBe: try #require(fixture["faststyle_wave.output"]))
    }
  }

  @Test("VGG-19's normalised activations and the picture decoded from them")
  func encoder() throws {
    let fixture = try reference()
    let loaded = try Zoo.network(
      "adain", weights: try weights("vgg19ae_vgg_normalised_conv3_1.pth"),
      settings: ["decoder": .string(try weights("vgg19ae_feature_invertor_conv3_1.pth"))])
    let adain = try #require(loaded.network as? AdaIN)
    let input = try #require(fixture["vgg19.input"])
    let activations = adain.encoder(input)
    #expect(relativeDifference(activations, try #require(fixture["vgg19.relu3_1"])) < 1e-4)
    #expect(relativeDifference(adain.decoder(activations), try #require(fixture["vgg19.decoded"])) < 1e-4)
    // A picture in its own style is what the decoder makes of it.
    let same = adain(["content": input, "style": input])["out"]
    #expect(relativeDifference(same, try #require(fixture["vgg19.decoded"])) < 1e-3)
    for level in 1...3 {
      let other = try Zoo.network(
        "adain", weights: try weights("vgg19ae_vgg_normalised_conv\(level)_1.pth"),
        settings: ["decoder": .string(try weights("vgg19ae_feature_invertor_conv\(level)_1.pth"))])
      #expect(other.settings["level"] == .integer(level) && other.changes.isEmpty)
    }
  }

  @Test("HED's edges: mean 0.34886, deviation 0.28176, 34.35 % over one half")
  func edges() throws {
    let loaded = try Zoo.network("hed", weights: try weights("hed_vgg16_bsds500.weights.h5"))
    let picture = try Image(contentsOf: "\(try #require(assets))/images/hed_input.png")
    let sides = loaded.network(["image": try loaded.preprocessing()(picture)])
    let means: [Float] = [-0.69682, -1.04915, -1.51033, -1.25651, -1.16345]
    for (index, mean) in means.enumerated() {
      #expect(abs(sides["side\(index + 1)"].mean().item() - mean) < 1e-4)
    }
    let result = try Segmenter(loaded).segment(picture)
    let edges = result.probabilities.selected(0, 1)
    #expect(abs(edges.mean().item() - 0.348864) < 1e-5)
    #expect(abs(edges.variance().item().squareRoot() - 0.281760) < 1e-5)
    #expect(abs(result.shares[1] - 0.343516) < 1e-5)
    let row = edges.values()[(100 * 320)...]
    for (column, value) in [(50, 0.70545), (120, 0.54226), (200, 0.74909), (300, 0.74021)] as [(Int, Float)] {
      #expect(abs(row[row.startIndex + column] - value) < 1e-4)
    }
  }

  @Test("HED's convolutions are those of a network for style transfer, which one the file says")
  func backbone() throws {
    let path = try weights("hed_vgg16_bsds500.weights.h5")
    let loaded = try StyleTransfer.network(weights: path)
    #expect(loaded.name == "gatys_vgg16" && loaded.dialect.name == "hed")
    #expect(loaded.settings["ceil_mode"] == .bool(true) && loaded.changes[0].contains("dsn1"))
    #expect(throws: WeightsError.self) {
      try StyleTransfer.network(weights: try weights("vae_mnist_csinva.pth"))
    }
    #expect(try #require(Zoo.identification(of: WeightFile.open(path).archive)).entry.name == "hed")
  }
}
