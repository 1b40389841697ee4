import AviaryLayers
import AviaryTensors
import AviaryTraining
import AviaryVision
import Testing

@testable import AviaryZoo

@Suite("Networks with other labels")
struct RelabellingTests {
  @Test(
    "every tensor that keeps its shape is taken over, the rest is new and named",
    arguments: [
      ("unet_scenes", 3, ["outc.conv"]), ("yolov8_scenes", 2, ["model.22.cv3"]),
      ("yolov5n", 4, ["model.24.m.0", "model.24.m.1", "model.24.m.2"]),
      ("fasterrcnn_scenes", 5, ["roi_heads.box_predictor.cls_score", "roi_heads.box_predictor.bbox_pred"]),
    ])
  func tensors(name: String, count: Int, anew: [String]) throws {
    let entry = try Catalogue.entry(name)
    let old = try withRandomSeed(1) { try Zoo.untrainedNetwork(entry) }
    let names = (0..<count).map { "thing \($0)" }
    let new = try withRandomSeed(2) { try old.relabelled(names) }
    #expect(new.metadata.labels == names && new.metadata.metrics == nil)
    #expect(new.task.labelCount(of: new.network) == count)
    #expect(new.metadata.preprocessing == old.metadata.preprocessing)
    #expect(new.metadata.taskSettings == old.metadata.taskSettings)
    let before = Dictionary(uniqueKeysWithValues: old.network.stateEntries.map { ($0.name, $0.value) })
    for entry in new.network.stateEntries where !entry.isFixed {
      let isNew = anew.contains { entry.name.hasPrefix($0) }
      let value = try #require(before[entry.name])
      if !isNew { #expect(value.values() == entry.value.values(), "\(entry.name)") }
      if value.shape != entry.shape { #expect(isNew, "\(entry.name)") }
    }
    #expect(
      new.changes.count == 1 && new.changes[0].contains("with first values: \(anew[0])"), "\(new.changes)")
  }

  @Test("as many labels keep the last layer, and networks without a setting for them are refused")
  func sameAndNone() throws {
    let old = try Zoo.untrainedNetwork(try Catalogue.entry("unet_scenes"))
    let names = (0..<7).map { "\($0)" }
    let new = try old.relabelled(names)
    #expect(new.network === old.network && new.metadata.labels == names)
    #expect(
      new.changes == [
        "7 labels as before, under other names: 0, 1, 2, 3, 4, 5 and 1 more; the last layer keeps its weights"
      ])
    // One logit tells two classes apart.
    let single = try Zoo.untrainedNetwork(
      try Catalogue.entry("unet_scenes"), settings: ["n_classes": .integer(1)])
    #expect(try single.relabelled(["no", "yes"]).network === single.network)
    let fixed = try Zoo.untrainedNetwork(try Catalogue.entry("unet_drive"))
    let error = #expect(throws: AdaptationError.self) { try fixed.relabelled(["a", "b", "c"]) }
    #expect(error?.description == "unet_drive cannot have 3 labels: no setting of it says their number")
  }

  /// Two convolutions, the second one an auxiliary head.
  private final class TwoHeads: Network {
    let last = Conv2d(3, 3, kernel: 1)
    let helper = Conv2d(3, 3, kernel: 1)
    let signature = Signature(
      inputs: [TensorPort("image", ["N", 3, "H", "W"])],
      outputs: [TensorPort("out", ["N", 3, "H", "W"]), TensorPort("aux", ["N", 3, "H", "W"])])
    func callAsFunction(_ inputs: NamedTensors) -> NamedTensors {
      ["out": last(inputs["image"]), "aux": helper(inputs["image"])]
    }
  }

  private let scenes: ScenePictures = {
    var generator = SceneGenerator(width: 16, height: 16)
    generator.shapes = [.star, .ring]
    return ScenePictures(generator, count: 6)
  }()

  @Test("an auxiliary head learns half as much, and is not asked in evaluations")
  func auxiliary() throws {
    let network = TwoHeads()
    let data = AugmentedPictures<SegmentationBatch>(scenes, preprocessing: .init())
    let batch = try data.batch([0, 1, 2])
    let learner = PixelLoss().learner(of: network, SGD(learningRate: 0))
    let loss = PixelLoss()
    let (out, aux) = (
      loss(network.last(batch.inputs), labels: batch.labels).item(),
      loss(network.helper(batch.inputs), labels: batch.labels).item()
    )
    #expect(abs(try learner.learn(from: batch).loss - (out + 0.5 * aux)) < 1e-5)
    #expect(abs(try learner.evaluation(of: batch).loss - out) < 1e-6)
  }

  @Test("numbers over all pixels of some data are no means of batches")
  func gathered() throws {
    let network = TwoHeads()
    let data = AugmentedPictures<SegmentationBatch>(scenes, preprocessing: .init())
    let learner = PixelLoss().learner(of: network, SGD(learningRate: 0))
    let (whole, parts) = (
      try learner.evaluation(on: data, batchSize: 6), try learner.evaluation(on: data, batchSize: 1)
    )
    #expect(whole.metrics["mean_iou"] == parts.metrics["mean_iou"] && whole.metrics["mean_dice"] != nil)
    #expect(abs(whole.metrics["iou"]! - whole.metrics["mean_iou"]!) < 1e-6)
    // Of a single batch nothing is told that is of none.
    #expect(try learner.evaluation(of: data.batch([0])).metrics["mean_iou"] == nil)
  }

  @Test("a detector's precision on the network's own pictures is that of the pictures as they were")
  func precision() throws {
    let detector = try Zoo.network("yolov8_scenes")
    let network = try #require(detector.network as? any TrainableDetector)
    let preprocessing = try #require(detector.metadata.preprocessing)
    let processor = try network.processor(preprocessing, detector.processingSettings)
    let pictures = ScenePictures(SceneGenerator(width: 120, height: 90), count: 8, seed: 5)
    let data = try network.data(
      pictures, augmentation: nil, preprocessing: preprocessing, settings: detector.processingSettings)
    #expect(try data.batch([0, 1]).inputs.shape == [2, 3, 96, 96])
    // Grey above and below, where boxes have moved to.
    #expect(try data.batch([0]).inputs.values()[0] == 114.0 / 255)
    let learner = network.learner(SGD(learningRate: 0), measuringWith: processor)
    let found = try #require(try learner.evaluation(on: data, batchSize: 3).metrics["map50"])
    var evaluation = COCOEvaluation(.boxes)
    let whole = try Zoo.load(Detector.self, "yolov8_scenes")
    for index in 0..<8 {
      evaluation.add(
        try whole.detect(pictures.picture(index).image, threshold: 0.001),
        objects: pictures.picture(index).instances)
    }
    let expected = Float(try #require(evaluation.summary.at50))
    #expect(abs(found - expected) < 0.1 && found > 0.4, "\(found), \(expected)")
  }

  @Test("DETR's pictures are resized as for detection and filled up together")
  func detr() throws {
    var small = DETR.Configuration(body: .resnet18)
    small.transformer = TransformerConfiguration(width: 8, heads: 2, hidden: 12)
    (small.encoderLayers, small.decoderLayers, small.queries, small.labels) = (1, 1, 5, 6)
    let network = DETR(small)
    let preprocessing = try #require(
      try Zoo.untrainedNetwork(try Catalogue.entry("detr_resnet50")).metadata.preprocessing)
    var own = preprocessing
    (own.resizeShorterSide, own.longestSide) = (40, 96)
    let pictures = [
      ScenePictures(SceneGenerator(width: 64, height: 32), count: 1),
      ScenePictures(SceneGenerator(width: 32, height: 32), count: 1),
    ]
    struct Both: AnnotatedPictures {
      let all: [ScenePictures]
      var count: Int { all.count }
      var classNames: [String] { all[0].classNames }
      func knownLabel(_ index: Int) -> Int? { nil }
      func picture(_ index: Int) throws -> AnnotatedPicture { all[index].picture(0) }
    }
    let data = try network.data(
      Both(all: pictures), augmentation: nil, preprocessing: own, settings: [:])
    let batch = try data.batch([0, 1])
    #expect(batch.inputs.shape == [2, 3, 40, 80])
    #expect(batch.sizes == [PictureSize(width: 80, height: 40), PictureSize(width: 40, height: 40)])
    let inputs = DETR.inputs(
      pictures.map { $0.picture(0).image }, shortSide: 40, longSide: 96)["image"].values()
    #expect(zip(inputs, batch.inputs.values()).allSatisfy { abs($0 - $1) < 1e-6 })
    let learner = network.learner(Adam(learningRate: 1e-3))
    network.train()
    #expect(try learner.learn(from: batch).loss.isFinite)
  }

  @Test("hundreds of objects, of one pixel too, leave losses and gradients numbers")
  func crowded() throws {
    let blank = Image(width: 96, height: 96, model: .rgb, pixels: .init(repeating: 90, count: 3 * 96 * 96))
    for network in [FasterRCNN(.scenes), YOLO(.scenes)] as [any TrainableDetector] {
      let instances = (0..<400).map { number -> Instance in
        let (x, y) = (Float(number % 20) * 4, Float(number / 20) * 4)
        let side: Float = number % 2 == 0 ? 1 : 9
        return Instance(
          box: Box(x1: x, y1: y, x2: x + side, y2: y + side), labelIndex: network.firstLabel + number % 6)
      }
      let batch = DetectionBatch(
        [AnnotatedPicture(image: blank, instances: instances)], inputs: .zeros([1, 3, 96, 96]), examples: [0])
      network.train()
      let learner = network.learner(Adam(learningRate: 1e-3))
      for _ in 0..<2 { #expect(try learner.learn(from: batch).loss.isFinite) }
      #expect(network.parameters.allSatisfy { $0.value.values().allSatisfy(\.isFinite) })
    }
  }
}
