import AviaryLayers
import AviaryTensors
import AviaryTraining
import AviaryVision
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

/// What the heads of darknet's networks learn, against `tools/reference/darknet_loss_fixtures.py`.
@Suite("Training of networks from darknet's .cfg")
struct DarknetTrainingTests {
  private static let expected = try! GoldenFile(
    Bundle.module.url(forResource: "darknet_losses", withExtension: "safetensors", subdirectory: "Fixtures")!)
  private static let cases = [
    "yolo", "yolo_truth", "region", "region_plain", "detection", "detection_softmax",
  ]

  private func expected(_ name: String) throws -> Tensor { try #require(Self.expected[name], "\(name)") }

  /// A network that is a head and nothing before it.
  private func network(_ name: String) throws -> Darknet {
    let shape = try expected("\(name).map").shape
    let section = try #require(Self.expected.metadata[name])
    return try Darknet(
      .init(cfg: "[net]\nwidth=\(shape[3])\nheight=\(shape[2])\nchannels=\(shape[1])\n" + section))
  }

  /// The map as the batch's pictures, with the fixture's objects.
  private func batch(_ map: Tensor) throws -> DetectionBatch {
    let (width, height) = (Float(map.shape[3]), Float(map.shape[2]))
    let rows = try expected("objects").values()
    let pictures = (0..<2).map { picture -> AnnotatedPicture in
      let instances = stride(from: 0, to: rows.count, by: 6).filter { Int(rows[$0]) == picture }.map { row in
        Instance(
          box: Box(
            centreX: rows[row + 2] * width, centreY: rows[row + 3] * height, width: rows[row + 4] * width,
            height: rows[row + 5] * height), labelIndex: Int(rows[row + 1]))
      }
      return AnnotatedPicture(
        image: Image(width: 1, height: 1, model: .grey, pixels: [0]), instances: instances)
    }
    return DetectionBatch(pictures, inputs: map, examples: [0, 1])
  }

  @Test("losses of boxes, certainties and classes, and the steps that darknet makes", arguments: cases)
  func losses(name: String) throws {
    let network = try network(name)
    let map = try expected("\(name).map")
    var losses: NamedTensors = [:]
    let (_, gradients) = try valueAndGradients(at: [map]) { inputs in
      losses = try network.losses(try batch(inputs[0])) { Array(0..<$0) }
      return network.weightedSum(of: losses)
    }
    let wanted = try expected("\(name).loss").values()
    #expect(losses.names == ["box_loss", "object_loss", "class_loss"])
    for (value, (part, wanted)) in zip(losses.tensors, zip(losses.names, wanted)) {
      #expect(abs(value.item() - wanted) < 1e-4 * wanted, "\(part): \(value.item()), expected \(wanted)")
    }
    #expect(relativeDifference(gradients[0], try expected("\(name).gradient")) < 1e-4)
  }

  @Test("boxes, certainties and classes of maps, v1's among them", arguments: cases)
  func rows(name: String) throws {
    let rows = try network(name)(["images": try expected("\(name).map")])["predictions"]
    #expect(relativeDifference(rows, try expected("\(name).rows")) < 1e-5)
  }

  @Test("v4's rules go back and forth: what the loss wants, the boxes give")
  func newCoordinates() throws {
    let section = "[yolo]\nmask=0\nanchors=2,3\nnum=1\nclasses=1\nscale_x_y=2\nnew_coords=1"
    let network = try Darknet(.init(cfg: "[net]\nwidth=4\nheight=4\nchannels=6\n" + section))
    let head = try #require(network.heads.first?.head)
    // In the second cell of the second row.
    let wanted = Box(centreX: 1.75 / 4, centreY: 1.25 / 4, width: 0.4, height: 0.5)
    let map = Parameter([1, 6, 4, 4], .constant(0.5))
    var values = map.value.values()
    for (channel, value) in [
      0.625, 0.375, (0.4 * 4 / 2 / 4 as Float).squareRoot(), (0.5 * 4 / 3 / 4 as Float).squareRoot(),
    ]
    .enumerated() { values[channel * 16 + 5] = value }
    let tensor = Tensor(values, shape: [1, 6, 4, 4])
    let row = Array(head.decoded(tensor).values()[5 * 6..<5 * 6 + 4])
    for (value, wanted) in zip(row, [1.75 / 4, 1.25 / 4, 0.4, 0.5] as [Float]) {
      #expect(abs(value - wanted) < 1e-5)
    }
    let (_, gradients) = valueAndGradients(at: [tensor]) {
      head.losses($0[0], [[DarknetObject(label: 0, box: wanted)]]).box
    }
    #expect(gradients[0].values().allSatisfy { abs($0) < 1e-4 })
  }

  @Test("a small network learns drawn scenes, and its dropout is for that alone")
  func learns() throws {
    let cfg =
      "[net]\nwidth=32\nheight=32\nchannels=3\n"
      + [8, 16, 32].map {
        "[convolutional]\nbatch_normalize=1\nfilters=\($0)\nsize=3\nstride=2\npad=1\nactivation=leaky\n"
      }.joined() + "[dropout]\nprobability=0.1\n"
      + "[convolutional]\nfilters=14\nsize=1\nactivation=linear\n[yolo]\nmask=0,1\nanchors=9,9, 18,18\nnum=2\nclasses=2\nignore_thresh=.6\n"
    let network = try withRandomSeed(3) { try Darknet(.init(cfg: cfg)) }
    let input = deterministicInput([1, 3, 32, 32])
    #expect(
      network(["images": input])["predictions"].values() == network(["images": input])["predictions"].values()
    )
    network.train()
    #expect(
      network(["images": input])["predictions"].values() != network(["images": input])["predictions"].values()
    )
    network.evaluate()
    var generator = SceneGenerator(width: 40, height: 32)
    generator.shapes = [.circle, .star]
    let pictures = ScenePictures(generator, count: 16)
    let data = try network.data(
      RenumberedObjects(pictures, from: 0), augmentation: nil, preprocessing: .init(), settings: [:])
    #expect(try data.batch([0]).inputs.shape == [1, 3, 32, 32])
    let processor = try network.processor(.init(), [:])
    let learner = network.learner(Adam(learningRate: 0.01), measuringWith: processor)
    let before = try learner.evaluation(on: data)
    let reports = try withRandomSeed(4) {
      try Trainer(learner).fit(data, validation: data, epochs: 15, batchSize: 8)
    }
    let after = try #require(reports.last?.validation)
    #expect(after.loss < 0.5 * before.loss, "\(before) \(after)")
    for name in ["box_loss", "object_loss", "class_loss"] {
      #expect(try #require(after.metrics[name]) < (before.metrics[name] ?? 0), "\(name)")
    }
  }

  @Test("other classes change the heads' lines and those before them, and the body keeps its weights")
  func relabelled() throws {
    let loaded = try deterministicNetwork("darknet")
    let old = Dictionary(uniqueKeysWithValues: loaded.network.stateEntries.map { ($0.name, $0.value) })
    let result = try loaded.relabelled(["star", "ring"])
    let network = try #require(result.network as? Darknet)
    #expect(network.heads.map(\.head.classes) == [2, 2] && result.metadata.labels == ["star", "ring"])
    let changed = network.stateEntries.filter { old[$0.name]?.values() != $0.value.values() }.map(\.name)
    #expect(
      changed == [
        "layers.15.conv.weight", "layers.15.conv.bias", "layers.22.conv.weight", "layers.22.conv.bias",
      ])
    #expect(result.changes.contains { $0.hasPrefix("2 labels (cfg)") })
    let lone = try Darknet.Configuration(
      cfg:
        "[net]\nwidth=2\nheight=2\nchannels=2\n[connected]\noutput=11\n[detection]\nside=1\nnum=2\ncoords=4\n"
    ).relabelled(3)
    #expect(lone?.cfg.contains("output=13\n[detection]\nclasses=3\nside=1") == true)
    #expect(throws: ConfigurationError.self) {
      try Darknet.Configuration(
        cfg: "[net]\nwidth=2\nheight=2\nchannels=6\n[yolo]\nanchors=1,1\nnum=1\nclasses=1"
      ).relabelled(3)
    }
    CachingAllocator.trim()
  }

  @Test("pictures that keep their proportions have grey beside them, and their boxes move along")
  func framed() {
    let frame = DarknetFrame(width: 8, height: 8, keepsProportions: true)
    let picture = AnnotatedPicture(
      image: Image(width: 16, height: 8, model: .rgb, pixels: .init(repeating: 200, count: 384)),
      instances: [Instance(box: Box(x1: 4, y1: 2, x2: 12, y2: 6), labelIndex: 0)])
    let framed = frame.framed(picture)
    #expect((framed.image.width, framed.image.height) == (8, 8))
    #expect(framed.image.pixels[0] == 128 && framed.image.pixels[3 * 8 * 2] == 200)
    #expect(framed.instances.map(\.box) == [Box(x1: 2, y1: 3, x2: 6, y2: 5)])
  }

  @Test("what a .cfg asks of learning and is not done is said")
  func leftOut() throws {
    let net = "[net]\nwidth=2\nheight=2\nchannels=6\n[yolo]\nmask=0\nanchors=1,1\nclasses=1\nnum=1\n"
    #expect(try Darknet(.init(cfg: net + "random=0")).learningRemarks.isEmpty)
    let remarks = try Darknet(.init(cfg: net + "random=1\niou_loss=ciou")).learningRemarks
    #expect(remarks.count == 1 && remarks[0].contains("iou_loss, random is left out"), "\(remarks)")
  }
}
