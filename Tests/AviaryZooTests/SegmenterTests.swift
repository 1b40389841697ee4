import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

@Suite("Segmenters")
struct SegmenterTests {
  /// Without transforms and threads that add up in another order: equal weights give equal numbers.
  private let exact = Execution.eager(isExact: true)

  @Test("a picture of odd size gets a map of its size, as the network called by hand", arguments: [1, 2, 3])
  func byHand(classes: Int) throws {
    let loaded = try deterministicNetwork("unet", ["n_classes": .integer(classes)])
    let image = noisePicture(width: 50, height: 37)
    let input = Preprocessing(channels: .rgb)(image)
    let logits = withExactArithmetic { loaded.network(["image": input])["logits"] }
    let segmenter = try Segmenter(loaded, execution: exact)
    #expect(segmenter.labels == (0..<max(classes, 2)).map { "class \($0)" })
    let result = try segmenter.segment(image)
    #expect((result.map.width, result.map.height) == (50, 37))
    #expect(result.map == (try LabelMap(logits: logits)))
    #expect(Set(result.map.labels).count > 1)
    let probabilities = result.probabilities
    #expect(probabilities.shape == [max(classes, 2), 37, 50])
    if classes == 1 {
      let values = logits.values()
      #expect(zip(result.map.labels, values).allSatisfy { ($0 == 1) == ($1 > 0) })
      #expect(probabilities.selected(0, 1).values() == logits.sigmoid().values())
      #expect(probabilities.sum([0]).values().allSatisfy { abs($0 - 1) < 1e-6 })
    } else {
      #expect(probabilities.values() == logits.softmax(1).values())
    }
    let picture = result.picture(ofClass: 1)
    let expected = probabilities.selected(0, 1).values().map { UInt8(($0 * 255).rounded(.toNearestOrEven)) }
    #expect(picture.pixels == expected)
    #expect(abs(result.shares.reduce(0, +) - 1) < 1e-9)
    CachingAllocator.trim()
  }

  @Test("pictures are padded to the multiple that the weights say, and the result is cut")
  func multiple() throws {
    let loaded = try deterministicNetwork("unet_drive")
    let image = noisePicture(width: 50, height: 37)
    let grey = Preprocessing(channels: .grey)(image)
    let padded = grey.padded(before: [0, 0, 0, 0], after: [0, 0, 3, 2])
    let logits = withExactArithmetic { loaded.network(["image": padded])["logits"] }
    let segmenter = try Segmenter(loaded, execution: exact)
    #expect(segmenter.labels == ["background", "vessel"] && segmenter.sizeMultiple == 4)
    let result = try segmenter.segment(image)
    let cut = logits.sliced(2, 0..<37).sliced(3, 0..<50)
    #expect(result.map == (try LabelMap(logits: cut)))
    #expect(result.probabilities.values() == cut.softmax(1).values())
  }

  @Test("where the preprocessing resizes, the answer has the picture's own size")
  func resized() throws {
    var loaded = try deterministicNetwork("unet_drive")
    loaded.metadata.preprocessing?.height = 24
    loaded.metadata.preprocessing?.width = 32
    let image = noisePicture(width: 70, height: 41, .grey)
    let input = Preprocessing(resize: .exact(width: 32, height: 24), channels: .grey)(image)
    let logits = withExactArithmetic { loaded.network(["image": input])["logits"] }
    let result = try Segmenter(loaded, execution: exact).segment(image)
    let back = logits.interpolated(to: [41, 70], .linear(alignsCorners: false))
    #expect(result.map == (try LabelMap(logits: back)))
  }

  @Test("brain MRI: a picture by its own mean and deviation, and a mask where the logits are above 0")
  func ownStatistics() throws {
    let loaded = try deterministicNetwork("unet_brain")
    #expect(loaded.metadata.formatVersion == 3)
    let image = noisePicture(width: 70, height: 41)
    var plain = Preprocessing(resize: .exact(width: 256, height: 256))
    let values = plain(image)  // 1×3×256×256
    let mean = values.mean([2, 3], keepsAxes: true)
    let deviation = (values - mean).square().mean([2, 3], keepsAxes: true).power(0.5)
    let input = (values - mean) / deviation
    plain.statistics = .picture
    #expect(relativeDifference(plain(image), input) < 1e-5)
    let logits = withExactArithmetic { loaded.network(["image": plain(image)])["logits"] }
    let segmenter = try Segmenter(loaded, execution: exact)
    #expect(segmenter.preprocessing == plain && segmenter.labels == ["background", "abnormality"])
    let back = logits.interpolated(to: [41, 70], .linear(alignsCorners: false))
    let result = try segmenter.segment(image)
    #expect(result.map == (try LabelMap(logits: back)))
    #expect(zip(result.map.labels, back.values()).allSatisfy { ($0 == 1) == ($1 > 0) })
    let black = Image(width: 3, height: 2, model: .rgb, pixels: .init(repeating: 7, count: 18))
    #expect(plain.sized(resize: .none, crop: nil)(black).values().allSatisfy { $0 == 0 })
    CachingAllocator.trim()
  }

  @Test("a file says that pictures are taken by their own statistics, and is read as it was")
  func savedStatistics() throws {
    let loaded = try deterministicNetwork("unet_brain", ["init_features": .integer(2)])
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).safetensors").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try loaded.save(to: path)
    let again = try Zoo.network("unet_brain", weights: path)
    #expect(again.metadata.formatVersion == 3 && again.metadata.preprocessing?.statistics == "picture")
    #expect(try again.preprocessing() == loaded.preprocessing())
    let plain = try deterministicNetwork("unet_drive")
    #expect(plain.metadata.formatVersion == 2 && plain.metadata.preprocessing?.statistics == nil)
  }

  @Test("networks for other channels get pictures of those")
  func channels() throws {
    let grey = try deterministicNetwork("unet_bilinear", ["n_channels": .integer(1)])
    let segmenter = try Segmenter(grey, execution: exact)
    #expect(segmenter.preprocessing.channels == .grey)
    #expect(try segmenter.segment(noisePicture(width: 16, height: 17)).map.height == 17)
    let error = #expect(throws: AdaptationError.self) {
      try Segmenter(try deterministicNetwork("unet_bilinear", ["n_channels": .integer(4)]))
    }
    #expect(error?.description.contains("feed it arrays") == true)
    CachingAllocator.trim()
  }

  @Test("a layer or a network of one's own")
  func ownNetworks() throws {
    let image = noisePicture(width: 9, height: 5)
    let labels = ["sky", "sea", "land"]
    let layer = withRandomSeed(3) { Conv2d(3, 3, kernel: 1) }
    let expected = try LabelMap(logits: layer(Preprocessing()(image)))
    let segmenter = Segmenter(layer, labels: labels, preprocessing: Preprocessing(), execution: exact)
    let result = try segmenter.segment(image)
    #expect(result.map == expected && result.labels == labels)
    let network = RetinaUNet()
    network.fillDeterministically()
    let own = Segmenter(network, preprocessing: Preprocessing(channels: .grey), sizeMultiple: 4)
    #expect(own.labels == ["class 0", "class 1"])
    #expect(try own.segment(image).map.width == 9)
  }

  @Test("what is no segmentation network, no picture for it, and no number is said to be so")
  func errors() throws {
    #expect(throws: WrongTask(model: "resnet50", task: .classification)) {
      try Zoo.load(Segmenter.self, "resnet50")
    }
    #expect("\(WrongTask(model: "resnet50", task: .classification))" == "resnet50 classifies: aviary predict")
    #expect(throws: WrongTask(model: "vae_mnist", task: .generation)) {
      try Segmenter(try deterministicNetwork("vae_mnist"))
    }
    let small = try Segmenter(try deterministicNetwork("unet_bilinear"))
    let error = #expect(throws: SignatureError.self) {
      try small.segment(noisePicture(width: 15, height: 40), named: "x.png")
    }
    #expect(error?.description.hasPrefix("x.png: image is 1×3×40×15") == true)
    #expect(throws: UnsuitablePicture.self) { try small.segment(noisePicture(width: 4000, height: 2000)) }

    let broken = try deterministicNetwork("unet_drive")
    let bias = try #require(broken.network.stateEntries.last)
    bias.value = Tensor(repeating: Float.infinity, shape: bias.shape)
    let segmenter = try Segmenter(broken)
    #expect(throws: NoNumbers(of: "y.png")) {
      try segmenter.segment(noisePicture(width: 8, height: 8), named: "y.png")
    }
    CachingAllocator.trim()
  }

  /// Changes to what is bound to the weights, and words of the sentence that each leads to.
  static let nonsense: [(change: @Sendable (inout PortableMetadata) -> Void, words: String)] = [
    ({ $0.taskSettings = ["size_multiple": .string("four")] }, "size_multiple is \"four\", expected"),
    ({ $0.taskSettings = ["size_multiple": .integer(-4)] }, "size_multiple is -4, expected"),
    ({ $0.taskSettings = ["size_multiple": .integer(.max)] }, "expected a whole number from 1 to 1024"),
    ({ $0.taskSettings = ["size_multiple": .null] }, "size_multiple is null, expected"),
    ({ $0.taskSettings = ["anchors": .array([])] }, "anchors is [], expected no such entry"),
    ({ $0.labels = ["vessel"] }, "1 labels are bound to the weights, but unet_drive tells 2 apart"),
    ({ $0.labelOffset = 1 }, "cannot have a label_offset of 1"),
    ({ $0.preprocessing = nil }, "nothing says how a picture becomes an input of unet_drive"),
    ({ $0.preprocessing?.height = -1 }, "the preprocessing is not one this version knows"),
    ({ $0.preprocessing = .init(height: 0, width: 0, channels: .grey) }, "is not one this version knows"),
    ({ $0.preprocessing?.longestSide = 7 }, "is not one this version knows"),
    ({ $0.preprocessing?.standardDeviation = [0] }, "is not one this version knows"),
    ({ $0.preprocessing?.interpolation = "magic" }, "is not one this version knows"),
    ({ $0.preprocessing?.statistics = "volume" }, "is not one this version knows"),
    (
      { $0.preprocessing = .init(channels: .grey, mean: [0.5], statistics: "picture") },
      "is not one this version knows"
    ),
    ({ $0.preprocessing?.channels = .rgb }, "cannot have pictures for its 1 channels"),
    (
      { $0.preprocessing = .init(height: 8, width: 8, channels: .grey, resizeShorterSide: 9) },
      "the preprocessing cuts pieces out of pictures"
    ),
  ]

  @Test("what a file says and no network can do is told in one sentence", arguments: nonsense.indices)
  func hostile(index: Int) throws {
    let error = #expect(throws: (any Error).self) {
      var loaded = try Zoo.untrainedNetwork(try Catalogue.entry("unet_drive"))
      Self.nonsense[index].change(&loaded.metadata)
      _ = try Segmenter(loaded)
    }
    let text = "\(try #require(error))"
    #expect(text.contains(Self.nonsense[index].words) && !text.contains("\n"), "\(text)")
  }

  @Test("a file that asks for an enormous picture is refused before memory is taken")
  func enormous() throws {
    var loaded = try deterministicNetwork("unet_drive")
    loaded.metadata.preprocessing?.resizeShorterSide = 65_536
    let segmenter = try Segmenter(loaded)
    let before = CachingAllocator.statistics.peak
    #expect(throws: UnsuitablePicture.self) { try segmenter.segment(noisePicture(width: 8, height: 8)) }
    #expect(CachingAllocator.statistics.peak - before < 10_000_000)
  }

  @Test("copies that are called at the same time give bit-equal maps")
  func concurrent() async throws {
    let segmenter = try Segmenter(try deterministicNetwork("unet_drive"), execution: .exact)
    let pictures = (0..<6).map { noisePicture(width: 40 + 9 * ($0 % 3), height: 37, .grey, seed: 1000 * $0) }
    let expected = try pictures.map { try segmenter.segment($0).probabilities.values() }
    let copies = [segmenter, segmenter.copy(), segmenter.copy()]
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for call in 0..<36 {
        group.addTask {
          let index = call % pictures.count
          return try copies[call % 3].segment(pictures[index]).probabilities.values() == expected[index]
        }
      }
      for try await isEqual in group { #expect(isEqual) }
    }
  }
}
