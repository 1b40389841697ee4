import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights
import TestSupport
import Testing

@testable import AviaryZoo

/// Faster and Mask R-CNN as a ``Detector``.
@Suite("Detectors that propose regions")
struct RCNNDetectorTests {
  private func network() throws -> FasterRCNN {
    var configuration = FasterRCNN.Configuration.mobileNet320
    configuration.hasMasks = true
    configuration.detections = 12
    let network = FasterRCNN(configuration)
    try ReferenceDetector("fasterrcnn_mobilenet_v3_large_320_fpn").fill(network)
    return network
  }

  private func image() -> Image {
    let values = ReferenceDetector.picture().values()
    let plane = ReferenceDetector.width * ReferenceDetector.height
    return Image(
      width: ReferenceDetector.width, height: ReferenceDetector.height, model: .rgb,
      pixels: (0..<3 * plane).map { UInt8(values[$0 % 3 * plane + $0 / 3] * 255) })
  }

  @Test("objects with masks are those of the network, of pictures of several sizes, in copies as well")
  func detect() throws {
    let image = image()
    let small = image.resized(width: 61, height: 40, .bilinear)
    let detector = try Detector(
      network(), preprocessing: .init(), settings: [Detector.thresholdSetting: .number(0)])
    let found = try detector.detect([image, small])
    #expect(found[0] == (try detector.copy().detect(image)))
    #expect(found[1] == (try detector.detect(small)))
    #expect(found[0].count == 12 && found[0].map(\.score) == found[0].map(\.score).sorted(by: >))

    let byHand = try network()
    let inputs: NamedTensors = [
      "image": Tensor(
        (0..<3).flatMap { channel in
          stride(from: channel, to: image.pixels.count, by: 3).map { Float(image.pixels[$0]) / 255 }
        }, shape: [1, 3, image.height, image.width])
    ]
    let outputs = byHand.trimmed(byHand(inputs), for: inputs)
    #expect(outputs["masks"].shape == [12, 1, image.height, image.width])
    let plane = image.width * image.height
    let (scores, masks) = (outputs["scores"].values(), outputs["masks"].values())
    for (row, detection) in found[0].enumerated() {
      #expect(abs(detection.score - scores[row]) < 1e-4)
      let mask = try #require(detection.mask)
      let differing = mask.pixels.indices.count { mask.pixels[$0] != (masks[row * plane + $0] > 0.5) }
      #expect(differing <= 2, "pixels at the threshold")
    }
    let two: NamedTensors = ["image": concatenate([inputs["image"], inputs["image"]], axis: 0)]
    let both = byHand.trimmed(byHand(two), for: two)
    #expect(
      both["pictures"].values(of: Int64.self) == [Int64](repeating: 0, count: 12)
        + .init(repeating: 1, count: 12))
    #expect(zip(both["scores"].values().suffix(12), scores).allSatisfy { abs($0 - $1) < 1e-4 })
    CachingAllocator.trim()
  }

  @Test("a picture without objects has none")
  func nothing() throws {
    let blank = Image(width: 1, height: 1, model: .rgb, pixels: [0, 0, 0])
    let detector = try Detector(network(), preprocessing: .init())
    #expect(try detector.detect(blank, threshold: 1).isEmpty)
    CachingAllocator.trim()
  }

  @Test("preprocessing that changes sizes is refused")
  func preprocessing() throws {
    let network = FasterRCNN(.mobileNet320)
    #expect(throws: WeightsError.self) { try network.processor(.init(resizeShorterSide: 800), [:]) }
    #expect(throws: ConfigurationError.self) { try network.processor(.init(), ["iou": .number(1)]) }
  }

  @Test("a mask fills its box, and ends with it")
  func pasting() {
    let share = [Float](repeating: 1, count: 28 * 28)
    let pasted = MaskPasting.pasted(
      share, row: 0, side: 28, in: Box(x1: 2, y1: 1, x2: 9, y2: 30), width: 12, height: 8)
    let mask = Mask(width: 12, height: 8, pixels: pasted.map { $0 > 0.5 })
    // torchvision draws into the pixels from ⌊1.75⌋ to ⌊9.25⌋.
    #expect(mask.box == Box(x1: 1, y1: 1, x2: 10, y2: 8))
    let beside = MaskPasting.pasted(
      share, row: 0, side: 28, in: Box(x1: 20, y1: 20, x2: 30, y2: 30), width: 12, height: 8)
    #expect(beside.allSatisfy { $0 == 0 })
  }

  @Test("the highest values, in order, equals as they come", arguments: [1, 3, 50, 2000])
  func highest(count: Int) {
    let values = (0..<1500).map { Float(($0 * 7919) % 101) } + [.nan]
    let expected = (0..<1500).sorted { (values[$1], $0) < (values[$0], $1) }.prefix(count)
    #expect(positionsOfHighest(count, of: values) == Array(expected))
  }
}
