import AviaryLayers
import AviaryTensors
import AviaryTraining
import AviaryVision
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

/// Losses of full-size detectors with deterministic weights against torchvision's (`tools/reference/detector_fixtures.py`).
@Suite("Training of torchvision's detectors")
struct DetectorTrainingTests {
  /// Two pictures, of which the second has no object.
  private func batch() -> DetectionBatch {
    let boxes: [[Float]] = [[10, 12, 60, 70], [50, 20, 120, 90], [30, 30, 44, 50]]
    let (width, height) = (ReferenceDetector.width, ReferenceDetector.height)
    let instances = zip(boxes, [3, 17, 3]).map { edges, label -> Instance in
      let (x1, y1, x2, y2) = (Int(edges[0]), Int(edges[1]), Int(edges[2]), Int(edges[3]))
      var pixels = [Bool](repeating: false, count: width * height)
      for y in y1..<y2 {
        for x in x1..<x1 + (x2 - x1) * (y - y1 + 1) / (y2 - y1) { pixels[y * width + x] = true }
      }
      return Instance(
        box: Box(x1: edges[0], y1: edges[1], x2: edges[2], y2: edges[3]), labelIndex: label,
        mask: Mask(width: width, height: height, pixels: pixels))
    }
    let blank = Image(
      width: width, height: height, model: .rgb, pixels: .init(repeating: 0, count: 3 * width * height))
    let inputs = concatenate(
      [ReferenceDetector.picture("first"), ReferenceDetector.picture("second")], axis: 0)
    return DetectionBatch(
      [AnnotatedPicture(image: blank, instances: instances), AnnotatedPicture(image: blank)], inputs: inputs,
      examples: [0, 1])
  }

  private func expectLosses(
    of network: any Module, _ reference: ReferenceDetector, usesBatchStatistics: Bool = true,
    _ losses: () throws -> NamedTensors
  ) throws {
    if usesBatchStatistics { network.train() }
    var values: NamedTensors = [:]
    let (_, gradients) = try valueAndGradient(of: network) {
      values = try losses()
      return values.tensors.dropFirst().reduce(values.tensors[0]) { $0 + $1 }
    }
    for (name, value) in values.elements {
      let expected = try reference.tensor("loss.\(name)").item()
      let difference = abs(value.item() - expected) / max(abs(expected), 1e-3)
      #expect(difference < 1e-4, "\(reference.name) \(name): \(value.item()), expected \(expected)")
    }
    #expect(values.names.count == reference.expected.names.count { $0.hasPrefix("loss.") })
    for (name, parameter) in network.namedParameters {
      guard let expected = reference.expected["gradient.\(name)"]?.values() else { continue }
      let gradient = try #require(gradients[parameter], "\(name)").values()
      let sums = [
        gradient.reduce(0) { $0 + Double($1) }, gradient.reduce(0) { $0 + abs(Double($1)) },
      ]
      for (sum, wanted) in zip(sums, expected) {
        #expect(
          abs(sum - Double(wanted)) < 1e-3 * Double(expected[1]), "\(name): \(sums), expected \(expected)")
      }
    }
    CachingAllocator.trim()
  }

  @Test(
    "Faster and Mask R-CNN",
    arguments: [
      "fasterrcnn_resnet50_fpn", "fasterrcnn_resnet50_fpn_v2", "maskrcnn_resnet50_fpn",
      "maskrcnn_resnet50_fpn_v2",
    ])
  func regions(name: String) throws {
    let reference = try ReferenceDetector(name)
    var configuration = FasterRCNN.Configuration.resnet50.with(epsilon: 0)
    configuration.isSecond = name.hasSuffix("v2")
    configuration.hasMasks = name.hasPrefix("mask")
    (configuration.shortSide, configuration.longSide) = (128, 256)
    (configuration.sampledAnchors, configuration.sampledRegions) = (64, 32)
    let network = FasterRCNN(configuration)
    try reference.fill(network)
    // A batch's own statistics carry rounding far.
    try expectLosses(of: network, reference, usesBatchStatistics: !configuration.isSecond) {
      try network.losses(batch()) { Array(0..<$0) }
    }
  }

  @Test("RetinaNet", arguments: ["retinanet_resnet50_fpn", "retinanet_resnet50_fpn_v2"])
  func retinaNet(name: String) throws {
    let reference = try ReferenceDetector(name)
    var configuration = RetinaNet.Configuration.resnet50.with(epsilon: 0)
    configuration.isSecond = name.hasSuffix("v2")
    (configuration.shortSide, configuration.longSide) = (128, 256)
    let network = RetinaNet(configuration)
    try reference.fill(network)
    try expectLosses(of: network, reference) { try network.losses(batch()) { Array(0..<$0) } }
  }

  @Test("FCOS")
  func fcos() throws {
    let reference = try ReferenceDetector("fcos_resnet50_fpn")
    var configuration = FCOS.Configuration.resnet50
    (configuration.shortSide, configuration.longSide) = (128, 256)
    let network = FCOS(configuration)
    try reference.fill(network)
    // Else no distance would be above 0.
    let bias = try #require(network.head.regressionHead.bboxReg.bias)
    bias.value = bias.value + 2
    try expectLosses(of: network, reference) { try network.losses(batch()) { Array(0..<$0) } }
  }

  @Test("SSD")
  func ssd() throws {
    let reference = try ReferenceDetector("ssd300_vgg16")
    let network = SSD(.vgg16)
    try reference.fill(network)
    try expectLosses(of: network, reference) { try network.losses(batch()) { Array(0..<$0) } }
  }

  @Test("objects that nothing can be learned from are refused")
  func unsuitable() throws {
    let network = RetinaNet(.resnet50)
    let blank = Image(
      width: 32, height: 32, model: .rgb, pixels: .init(repeating: 0, count: 3 * 32 * 32))
    func losses(_ box: Box, _ label: Int) throws {
      let picture = AnnotatedPicture(image: blank, instances: [Instance(box: box, labelIndex: label)])
      _ = try network.losses(
        DetectionBatch([picture], inputs: .zeros([1, 3, 32, 32]), examples: [7])
      ) { Array(0..<$0) }
    }
    let box = Box(x1: 1, y1: 1, x2: 9, y2: 9)
    #expect(throws: UnsuitableObject(example: 7, reason: "has a box without an area: [1.0, 1.0, 0.0, 8.0]")) {
      try losses(Box(x1: 1, y1: 1, x2: 1, y2: 9), 1)
    }
    #expect(throws: UnsuitableObject(example: 7, reason: "has the label 91, of 1 to 90")) {
      try losses(box, 91)
    }
    // What is found with it would never be told.
    #expect(throws: UnsuitableObject(example: 7, reason: "has the label 0, of 1 to 90")) {
      try losses(box, 0)
    }
  }

  @Test("a picture without objects is learned from by every detector, and classes begin where its labels do")
  func nothing() throws {
    var small = DETR.Configuration(body: .resnet18)
    small.transformer = TransformerConfiguration(width: 8, heads: 2, hidden: 12)
    (small.encoderLayers, small.decoderLayers, small.queries, small.labels) = (1, 1, 5, 6)
    let networks: [any TrainableDetector] = [
      FasterRCNN(.scenes), YOLO(.scenes), YOLO(.v5n), DETR(small), SSD(.vgg16),
    ]
    for network in networks {
      let blank = Image(
        width: 96, height: 96, model: .rgb, pixels: .init(repeating: 0, count: 3 * 96 * 96))
      let batch = DetectionBatch(
        [AnnotatedPicture(image: blank)], inputs: .zeros([1, 3, 96, 96]), examples: [0])
      let learner = network.learner(Adam(learningRate: 1e-3))
      network.train()
      #expect(try learner.learn(from: batch).loss.isFinite)
      network.evaluate()
      let (one, other) = (try learner.evaluation(of: batch), try learner.evaluation(of: batch))
      #expect(one == other && one.metrics.count >= 2)
    }
    #expect(FasterRCNN(.scenes).firstLabel == 1 && YOLO(.scenes).firstLabel == 0)
    let pictures = RenumberedObjects(
      ScenePictures(SceneGenerator(width: 96, height: 96), count: 2), from: 1)
    #expect(pictures.classNames.first == "background")
    let generator = SceneGenerator(width: 96, height: 96)
    #expect(
      try pictures.picture(0).instances.map(\.labelIndex)
        == generator.picture(0, seed: 0).instances.map { $0.labelIndex + 1 })
  }

  @Test("which boxes answer for which objects")
  func matching() {
    let truth = [Box(x1: 0, y1: 0, x2: 10, y2: 10), Box(x1: 100, y1: 0, x2: 110, y2: 40)]
    let boxes = [
      Box(x1: 0, y1: 0, x2: 10, y2: 10), Box(x1: 0, y1: 0, x2: 10, y2: 6), Box(x1: 0, y1: 0, x2: 10, y2: 2),
      Box(x1: 100, y1: 0, x2: 110, y2: 10), Box(x1: 100, y1: 30, x2: 110, y2: 40),
    ]
    let strict = BoxMatcher(least: 0.7, most: 0.3, keepsBest: false)(boxes, truth: truth)
    #expect(strict == [.object(0), .ignored, .background, .background, .background])
    let kind = BoxMatcher(least: 0.7, most: 0.3, keepsBest: true)(boxes, truth: truth)
    #expect(kind == [.object(0), .ignored, .background, .object(1), .object(1)], "the best, both of them")
    #expect(
      BoxMatcher(least: 0.7, most: 0.3, keepsBest: true)(boxes, truth: []).allSatisfy { $0 == .background })
    let sample = BalancedSampler(count: 3, objectShare: 0.5)(kind) { Array((0..<$0).reversed()) }
    #expect(sample.objects == [4] && sample.background == [2])
  }
}
