import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights
import CThreads
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

/// The full-size network with deterministic weights against its reference (`tools/reference/detr_fixtures.py`).
@Suite("DETR against its reference")
struct DETRTests {
  private static let expected = try! GoldenFile(
    Bundle.module.url(forResource: "detr", withExtension: "safetensors", subdirectory: "Fixtures")!)

  private func expected(_ name: String) throws -> Tensor { try #require(Self.expected[name], "\(name)") }

  /// The deterministic weight of a name in any dialect, as `weight` of the script makes it.
  private static func weight(_ name: String, _ shape: Shape) -> Tensor {
    let ends = ["out_proj.weight", "o_proj.weight", "linear2.weight", "fc2.weight"]
    let factor: Float = name.contains("query_") ? 16 : ends.contains { name.hasSuffix($0) } ? 0.25 : 1
    return Tensor(DeterministicWeights.torch(name, shape: shape).map { $0 * factor }, shape: shape)
  }

  static func filled() -> DETR {
    let model = DETR()
    for entry in model.stateEntries { entry.value = weight(entry.name, entry.shape) }
    return model
  }

  /// A picture whose sides are no multiples of 32.
  private let single: NamedTensors = [
    "image": Tensor(DeterministicWeights.image(shape: [1, 3, 130, 202]), shape: [1, 3, 130, 202])
  ]

  /// Widths and heights of two pictures.
  private static func sizes() throws -> [(width: Int, height: Int)] {
    let values = try #require(expected["batch.sizes"]).values(of: Int64.self).map(Int.init)
    return stride(from: 0, to: values.count, by: 2).map { (values[$0], values[$0 + 1]) }
  }

  /// Two pictures, padded to a common size.
  private func batch() throws -> NamedTensors {
    let sizes = try Self.sizes()
    let (width, height) = (sizes.map(\.width).max()!, sizes.map(\.height).max()!)
    let pictures = sizes.enumerated().map { index, size in
      let shape = [1, 3, size.height, size.width]
      let padding = Padding(before: [0, 0], after: [height - size.height, width - size.width])
      return (
        Tensor(DeterministicWeights.image(named: "picture \(index)", shape: shape), shape: shape)
          .padded(spatially: padding),
        Tensor.zeros([1, size.height, size.width])
          .padded(before: [0] + padding.before, after: [0] + padding.after, .constant(1)).cast(to: .bool)
      )
    }
    return [
      "image": concatenate(pictures.map(\.0), axis: 0), "mask": concatenate(pictures.map(\.1), axis: 0),
    ]
  }

  /// The largest difference of logits and boxes from what the reference has, over its largest value.
  private func difference(_ outputs: NamedTensors, from name: String) throws -> Float {
    try ["pred_logits", "pred_boxes"].map { output in
      let expected = try expected("\(name).\(output)")
      return relativeDifference(outputs[output].sliced(1, 0..<expected.shape[1]), expected)
    }.max()!
  }

  @Test("458 tensors, and 41.5 million parameters besides the frozen batch normalization")
  func counts() throws {
    let model = DETR()
    let counts = try expected("counts").values(of: Int64.self).map(Int.init)
    #expect(counts == [458, 41_524_768])
    #expect([model.stateEntries.count, model.parameterCount] == counts)
    // What facebookresearch prints: the stem and layer1 are not trained.
    model.freeze("backbone.0.body.conv1", "backbone.0.body.layer1")
    let trained = model.parameters.filter { !$0.isFrozen }.reduce(0) { $0 + $1.shape.elementCount }
    #expect(trained == 41_302_368)
  }

  @Test("logits and boxes within 1e-4 of the largest, eager, exact and compiled, with a mask and without")
  func outputs() throws {
    let model = Self.filled()
    let compiled = model.compiled()
    for (name, inputs) in [("single", single), ("batch", try batch())] {
      let complete = model.completed(inputs)
      try model.signature.check(inputs)
      let first = compiled(inputs)
      clear_invalid_flag()
      let second = compiled(inputs)
      #expect(!has_invalid_flag(), "done again with care for nothing")
      let results = [model(complete), withExactArithmetic { model(complete) }, first, second]
      let differences = try results.map { try difference($0, from: name) }
      #expect(differences.allSatisfy { $0 < 1e-4 }, "\(name): \(differences)")
    }
    CachingAllocator.trim()
  }

  @Test("what a mask hides changes nothing, whatever it is; without the mask, the answers are others")
  func mask() throws {
    let model = Self.filled()
    var inputs = try batch()
    let noise = Tensor(DeterministicWeights.image(named: "noise", shape: [100, 256]), shape: [1, 100, 256])
    let attention = model.transformer.encoder.layers[0].selfAttn
    let hidden = Tensor((0..<100).map { $0 >= 60 }, shape: [1, 100])
    let few = noise.sliced(1, 0..<60)
    let seen = attention(query: few, key: noise, value: noise, keyPaddingMask: hidden)
    #expect(relativeDifference(seen, attention(few)) < 1e-5)
    #expect(relativeDifference(attention(query: few, key: noise, value: noise), attention(few)) > 1e-2)

    inputs["mask"] = Tensor(repeating: false, shape: inputs["mask"].shape)
    #expect(try difference(model(inputs), from: "batch") > 1e-2)
    // A picture all of which is padding gets numbers nonetheless.
    inputs["mask"] = Tensor(repeating: true, shape: inputs["mask"].shape)
    #expect(model(inputs)["pred_logits"].values().allSatisfy { $0.isFinite })
    CachingAllocator.trim()
  }

  /// The map of a dialect; `hasOwnBody` leaves only the names of transformers' own residual network.
  private func map(_ dialect: String, hasOwnBody: Bool = false) throws -> NameMap {
    let data = try Data(contentsOf: Resources.url("\(dialect)_detr", "json"))
    guard hasOwnBody else { return try NameMap(json: Array(data)) }
    var document = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    let rules = try #require(document["rules"] as? [[String: Any]])
    document["rules"] = try rules.filter { rule in
      let theirs = try #require(rule["theirs"] as? String)
      return !["conv1.", "bn1.", "layer{s}."].contains { theirs.contains(".model." + $0) }
    }
    return try NameMap(json: Array(JSONSerialization.data(withJSONObject: document)))
  }

  @Test(
    "weights under transformers' names, in files and in memory, give what transformers computes",
    arguments: ["transformers", "transformers5"])
  func transformers(dialect: String) throws {
    let model = DETR()
    let entries = model.stateEntries
    let shapes = try WeightArchive(entries.map { ($0.name, Tensor.zeros($0.shape)) })
    let theirs = try map(dialect, hasOwnBody: true).exported(shapes)
    #expect(theirs.unmatched.isEmpty)
    #expect(theirs.archive.count == 530)
    let weights = try WeightArchive(
      theirs.archive.entries.map { ($0.name, Self.weight($0.name, $0.tensor.shape)) })

    let ours = try map(dialect).imported(weights)
    #expect(ours.unmatched.isEmpty)
    let report = model.report(ours.archive)
    try report.requireComplete()
    #expect(model.assign(ours.archive, report).isEmpty)
    let difference = try difference(model(model.completed(single)), from: dialect)
    #expect(difference < 1e-4)

    // And back: under the names that published files have, with a body of timm's, and bit for bit.
    let published = try map(dialect).exported(ours.archive)
    #expect(published.unmatched.isEmpty && published.archive.count == 530)
    let body = dialect == "transformers" ? "conv_encoder.model" : "model"
    #expect(published.archive.spec("model.backbone.\(body).layer4.2.bn3.running_var")?.shape == [2048])
    let again = try map(dialect).imported(published.archive).archive
    #expect(again.names == ours.archive.names)
    for (name, tensor) in again.entries {
      #expect(tensor.values() == ours.archive[name]?.values(), "\(name)")
    }
    CachingAllocator.trim()
  }

  @Test(
    "pictures are resized to short sides of 800 and long ones of 1333 at most, as facebookresearch rounds")
  func sizes() throws {
    let values = try expected("resized").values(of: Int64.self).map(Int.init)
    for row in stride(from: 0, to: values.count, by: 4) {
      let resized = DETR.resized(width: values[row], height: values[row + 1])
      #expect(
        [resized.width, resized.height] == Array(values[row + 2..<row + 4]), "\(values[row..<row + 2])")
    }
    #expect(DETR.resized(width: 1, height: 5000) == (1, 5000))
  }

  @Test("pictures of two sizes become one padded batch, with a mask that is true for the padding")
  func pictures() throws {
    let images = [(60, 40), (30, 45)].map { width, height in
      Image(
        width: width, height: height, model: .rgb, pixels: .init(repeating: 200, count: width * height * 3))
    }
    let inputs = DETR.inputs(images, shortSide: 24, longSide: 32)
    // 60×40 by 24/40 would be 36 wide: round(32·40/60) = 21 high, and int(21·60/40) = 31 wide. 30×45: 21×31.
    #expect(inputs["image"].shape == [2, 3, 31, 31] && inputs["mask"].shape == [2, 31, 31])
    let (mask, image) = (inputs["mask"].values(of: Bool.self), inputs["image"].values())
    for y in 0..<31 {
      for x in 0..<31 {
        #expect(mask[y * 31 + x] == (y >= 21) && mask[(31 + y) * 31 + x] == (x >= 21))
        let value = (Float(200) / 255 - 0.485) / 0.229
        #expect(abs(image[y * 31 + x] - (y < 21 ? value : 0)) < 1e-5)
      }
    }
  }

  @Test("scores, labels and boxes in pixels as the reference's")
  func detections() throws {
    let outputs: NamedTensors = [
      "pred_logits": try expected("batch.pred_logits"), "pred_boxes": try expected("batch.pred_boxes"),
    ]
    let sizes = try Self.sizes().map { (width: 2 * $0.width, height: 2 * $0.height) }
    let found = DETR.detections(outputs, sizes: sizes)
    #expect(relativeDifference(found["scores"], try expected("batch.scores")) < 1e-6)
    #expect(relativeDifference(found["boxes"], try expected("batch.boxes")) < 1e-6)
    let labels = try expected("batch.labels").values(of: Int64.self)
    #expect(found["labels"].values(of: Int64.self) == labels)
  }

  @Test("a small one can be trained: gradients reach every parameter, and batch normalization stays as it is")
  func gradients() throws {
    var configuration = DETR.Configuration(body: .resnet18)
    configuration.transformer = TransformerConfiguration(width: 8, heads: 2, hidden: 12)
    (configuration.encoderLayers, configuration.decoderLayers) = (2, 2)
    (configuration.queries, configuration.labels) = (5, 3)
    let model = withRandomSeed(7) { DETR(configuration) }
    let before = model.namedBuffers.map { $0.buffer.value.values() }
    model.train()
    let image = Tensor(DeterministicWeights.image(shape: [2, 3, 70, 90]), shape: [2, 3, 70, 90])
    let (_, gradients) = withRandomSeed(8) {
      valueAndGradient(of: model) {
        let outputs = model(model.completed(["image": image]))
        return outputs["pred_logits"].square().sum() + outputs["pred_boxes"].sum()
      }
    }
    for (name, parameter) in model.namedParameters {
      let gradient = try #require(gradients[parameter], "\(name)")
      // What the decoder starts from is zero, and so is all that its first layer sees of itself as long as there are no biases.
      let seesZeros = [
        "transformer.decoder.layers.0.self_attn.in_proj_weight",
        "transformer.decoder.layers.0.self_attn.out_proj.weight",
      ].contains(name)
      #expect(gradient.values().contains { $0 != 0 } != seesZeros, "\(name)")
    }
    #expect(model.namedBuffers.map { $0.buffer.value.values() } == before)
  }
}
