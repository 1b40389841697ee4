import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights
import Testing

@testable import AviaryZoo

@Suite("Detectors")
struct DetectorTests {
  private let exact = Execution.eager(isExact: true)

  /// What DETR's own functions make of the network's outputs, unsorted.
  private func byHand(
    _ loaded: LoadedNetwork, _ images: [Image], above threshold: Float
  ) throws -> [[(score: Float, label: Int, box: [Float])]] {
    let inputs = DETR.inputs(images, shortSide: 64, longSide: 96)
    let outputs = withExactArithmetic { loaded.network(inputs) }
    let found = DETR.detections(outputs, sizes: images.map { ($0.width, $0.height) })
    let labels = found["labels"].values(of: Int64.self)
    let (scores, boxes) = (found["scores"].values(), found["boxes"].values())
    return images.indices.map { picture in
      (6 * picture..<6 * picture + 6).filter { scores[$0] > threshold }.map {
        (scores[$0], Int(labels[$0]), Array(boxes[4 * $0..<4 * $0 + 4]))
      }
    }
  }

  private func expectEqual(
    _ found: [Detection], _ expected: [(score: Float, label: Int, box: [Float])], _ image: Image
  ) {
    let sorted = expected.sorted { $0.score > $1.score }
    #expect(found.map(\.score) == sorted.map(\.score))
    #expect(found.map(\.labelIndex) == sorted.map(\.label))
    for (detection, wanted) in zip(found, sorted) {
      let box = Box(x1: wanted.box[0], y1: wanted.box[1], x2: wanted.box[2], y2: wanted.box[3])
      #expect(detection.box == box.clipped(width: image.width, height: image.height))
      #expect(detection.label == "label \(detection.labelIndex)")
    }
  }

  @Test("pictures of several sizes, one by one and together, as DETR's functions by hand")
  func detr() throws {
    let loaded = try deterministicDETR()
    let images = [
      noisePicture(width: 90, height: 70), noisePicture(width: 50, height: 120, seed: 5),
      noisePicture(width: 30, height: 30, .grey, seed: 9),
    ]
    let together = try byHand(loaded, images, above: 0.3)
    let single = try byHand(loaded, [images[1]], above: 0)
    let detector = try Detector(loaded, execution: exact)
    #expect(detector.threshold == 0.7 && detector.labels == ["label 0", "label 1", "label 2"])
    let found = try detector.detect(images, threshold: 0.3)
    #expect(found.count == 3)
    for (index, image) in images.enumerated() { expectEqual(found[index], together[index], image) }
    let all = try detector.detect(images[1], threshold: 0)
    #expect(all.count == 6)
    expectEqual(all, single[0], images[1])
    #expect(try detector.detect(images[1], threshold: 1).isEmpty)
    #expect(try detector.detect(images[1]).allSatisfy { $0.score > 0.7 })
    #expect(try detector.copy().detect(images, threshold: 0.3) == found)
    for detection in all {
      #expect(detection.box == detection.box.clipped(width: 50, height: 120))
    }
    CachingAllocator.trim()
  }

  @Test("compiled, answers are the same but for rounding")
  func compiled() throws {
    let image = noisePicture(width: 90, height: 70)
    let eager = try Detector(try deterministicDETR(), execution: exact).detect(image, threshold: 0)
    let compiled = try Detector(try deterministicDETR()).detect(image, threshold: 0)
    #expect(compiled.count == eager.count)
    for (first, second) in zip(compiled, eager) { #expect(abs(first.score - second.score) < 1e-3) }
    CachingAllocator.trim()
  }

  @Test("COCO's 80 names stand at their numbers, of which 11 are none's")
  func coco() throws {
    let names = try LabelSet.coco.names()
    #expect(names.count == 91 && names.count { $0 == "N/A" } == 11)
    #expect(
      [0, 1, 12, 18, 45, 90].map { names[$0] } == ["N/A", "person", "N/A", "dog", "N/A", "toothbrush"])
    let loaded = try Zoo.untrainedNetwork(try Catalogue.entry("detr_resnet50"))
    #expect(loaded.metadata.labels == names)
    #expect(loaded.metadata.taskSettings == ["score_threshold": .number(0.7)])
    let detector = try Detector(loaded)
    #expect(detector.labels == names && detector.threshold == 0.7)
  }

  @Test("a network of one's own")
  func ownNetwork() throws {
    var configuration = DETR.Configuration(body: .resnet18)
    (configuration.encoderLayers, configuration.decoderLayers) = (1, 1)
    (configuration.queries, configuration.labels) = (6, 3)
    let network = DETR(configuration)
    network.fillDeterministically()
    let image = noisePicture(width: 40, height: 32)
    let detector = try Detector(
      network, labels: ["a", "b", "c"], preprocessing: .init(resizeShorterSide: 32),
      settings: ["score_threshold": .integer(0)], execution: exact)
    let found = try detector.detect(image)
    #expect(found.count == 6 && found.allSatisfy { "abc".contains($0.label) })
    CachingAllocator.trim()
  }

  @Test("what detects nothing is said to do something else, and what is no number too")
  func errors() throws {
    #expect(throws: WrongTask(model: "unet", task: .segmentation)) { try Zoo.load(Detector.self, "unet") }
    #expect(throws: WrongTask(model: "unet_drive", task: .segmentation)) {
      try Detector(try deterministicNetwork("unet_drive"))
    }
    let loaded = try deterministicDETR()
    let bias = try #require(loaded.network.stateEntries.first { $0.name == "class_embed.bias" })
    bias.value = Tensor(repeating: Float.nan, shape: bias.shape)
    let detector = try Detector(loaded)
    #expect(throws: NoNumbers(of: "x.png")) {
      try detector.detect(noisePicture(width: 40, height: 30), named: "x.png")
    }
    CachingAllocator.trim()
  }

  /// Changes to what is bound to the weights, and words of the sentence that each leads to.
  static let nonsense: [(change: @Sendable (inout PortableMetadata) -> Void, words: String)] = [
    ({ $0.taskSettings = ["score_threshold": .string("high")] }, "score_threshold is \"high\", expected"),
    ({ $0.taskSettings = ["score_threshold": .integer(2)] }, "score_threshold is 2, expected"),
    ({ $0.taskSettings = ["score_threshold": .number(-0.1)] }, "score_threshold is -0.1, expected"),
    ({ $0.taskSettings = ["iou_threshold": .number(0.5)] }, "iou_threshold is 0.5, expected no such entry"),
    ({ $0.labels = ["a", "b"] }, "2 labels are bound to the weights, but detr_resnet50 tells 3 apart"),
    ({ $0.preprocessing = nil }, "nothing says how a picture becomes an input"),
    ({ $0.preprocessing?.resizeShorterSide = nil }, "to a shorter side alone"),
    ({ $0.preprocessing?.resizeShorterSide = -8 }, "to a shorter side alone"),
    ({ $0.preprocessing?.longestSide = 0 }, "to a shorter side alone"),
    ({ $0.preprocessing?.channels = .grey }, "to a shorter side alone"),
    ({ $0.preprocessing?.mean = [1, 2] }, "is not one this version knows"),
    ({ $0.preprocessing?.standardDeviation = [1, .nan, 1] }, "is not one this version knows"),
  ]

  @Test("what a file says and no network can do is told in one sentence", arguments: nonsense.indices)
  func hostile(index: Int) throws {
    let error = #expect(throws: (any Error).self) {
      var loaded = try Zoo.untrainedNetwork(try Catalogue.entry("detr_resnet50"), settings: smallDETR)
      Self.nonsense[index].change(&loaded.metadata)
      _ = try Detector(loaded)
    }
    let text = "\(try #require(error))"
    #expect(text.contains(Self.nonsense[index].words) && !text.contains("\n"), "\(text)")
  }

  @Test("a file that asks for an enormous picture is refused before memory is taken")
  func enormous() throws {
    var loaded = try deterministicDETR()
    loaded.metadata.preprocessing?.resizeShorterSide = 65_536
    loaded.metadata.preprocessing?.longestSide = nil
    let detector = try Detector(loaded)
    let before = CachingAllocator.statistics.peak
    for size in [(8, 8), (1, 100_000)] {
      let error = #expect(throws: UnsuitablePicture.self) {
        try detector.detect(noisePicture(width: size.0, height: size.1, .grey))
      }
      #expect(error?.description.contains("4194304 pixels at most") == true)
    }
    #expect(CachingAllocator.statistics.peak - before < 10_000_000)
  }
}
