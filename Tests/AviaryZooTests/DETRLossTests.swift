import AviaryLayers
import AviaryTensors
import AviaryTraining
import AviaryVision
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

/// What DETR learns from, with the full-size network and deterministic weights (`tools/reference/detr_loss_fixtures.py`).
@Suite("DETR's loss")
struct DETRLossTests {
  private static let expected = try! GoldenFile(
    Bundle.module.url(forResource: "detr_losses", withExtension: "safetensors", subdirectory: "Fixtures")!)

  private func expected(_ name: String) throws -> Tensor { try #require(Self.expected[name], "\(name)") }

  private static let (width, height) = (96, 64)

  /// Two pictures, the second without objects.
  private func batch() -> DetectionBatch {
    let boxes: [(Float, Float, Float, Float, Int)] = [
      (0.3, 0.4, 0.4, 0.5, 3), (0.6, 0.55, 0.5, 0.7, 17), (0.31, 0.66, 0.12, 0.25, 3),
    ]
    let (width, height) = (Float(Self.width), Float(Self.height))
    let instances = boxes.map { x, y, w, h, label in
      Instance(
        box: Box(centreX: x * width, centreY: y * height, width: w * width, height: h * height),
        labelIndex: label)
    }
    let blank = Image(
      width: Self.width, height: Self.height, model: .rgb,
      pixels: .init(repeating: 0, count: 3 * Self.width * Self.height))
    let shape = [1, 3, Self.height, Self.width]
    let pictures = ["first", "second"].map {
      Tensor(DeterministicWeights.image(named: $0, shape: shape), shape: shape)
    }
    return DetectionBatch(
      [AnnotatedPicture(image: blank, instances: instances), AnnotatedPicture(image: blank)],
      inputs: concatenate(pictures, axis: 0), examples: [0, 1])
  }

  /// Two pictures of other sizes, padded to a common one as data do it.
  private func paddedBatch() throws -> DetectionBatch {
    let sizes = [PictureSize(width: 96, height: 40), PictureSize(width: 61, height: 64)]
    let boxes: [[(Float, Float, Float, Float, Int)]] = [
      [(0.3, 0.4, 0.4, 0.5, 3), (0.6, 0.55, 0.5, 0.7, 17)],
      [(0.31, 0.66, 0.12, 0.25, 5), (0.7, 0.3, 0.4, 0.4, 90)],
    ]
    let blank = Image(width: 1, height: 1, model: .grey, pixels: [0])
    let pictures = zip(sizes, boxes).map { size, boxes in
      let (width, height) = (Float(size.width), Float(size.height))
      return AnnotatedPicture(
        image: blank,
        instances: boxes.map { x, y, w, h, label in
          Instance(
            box: Box(centreX: x * width, centreY: y * height, width: w * width, height: h * height),
            labelIndex: label)
        })
    }
    let inputs = zip(["third", "fourth"], sizes).map { name, size in
      deterministicInput([1, 3, size.height, size.width], named: name).padded(
        spatially: Padding(before: [0, 0], after: [Self.height - size.height, Self.width - size.width]))
    }
    var batch = DetectionBatch(pictures, inputs: concatenate(inputs, axis: 0), examples: [0, 1])
    batch.note(sizes: sizes)
    return batch
  }

  @Test("every loss of every layer, and the gradient of their weighted sum, within 1e-4 of the largest")
  func losses() throws { try expectLosses(of: batch(), "") }

  @Test("pictures of two sizes are padded and masked as in a NestedTensor, in the same terms")
  func padded() throws {
    let batch = try paddedBatch()
    let mask = batch.padding.values(of: Bool.self)
    #expect(mask.count { $0 } == 96 * 24 + 35 * 64)
    #expect(!mask[39 * 96 + 95] && mask[40 * 96] && !mask[64 * 96 + 60] && mask[64 * 96 + 61])
    try expectLosses(of: batch, "padded.")
  }

  private func expectLosses(of batch: DetectionBatch, _ prefix: String) throws {
    let network = DETRTests.filled()
    var losses: NamedTensors = [:]
    let (_, gradients) = try valueAndGradient(of: network) {
      losses = try network.losses(batch) { Array(0..<$0) }
      return network.weightedSum(of: losses)
    }
    #expect(losses.names.count == 5 + 5 * 4)
    for (name, value) in losses.elements {
      let wanted = try expected("\(prefix)loss.\(name)").item()
      let difference = abs(value.item() - wanted)
      #expect(difference <= 1e-4 * max(abs(wanted), 1e-3), "\(name): \(value.item()), \(wanted)")
    }
    let beginning = prefix + "gradient."
    let names = Self.expected.names.filter { $0.hasPrefix(beginning) && !$0.hasSuffix(".most") }
    #expect(names.count == 7)
    for name in names {
      let path = String(name.dropFirst(beginning.count))
      let parameter = try #require(network.namedParameters.first { $0.name == path }?.parameter)
      let gradient = try #require(gradients[parameter]).values()
      let wanted = try expected(name).values()
      let most = try expected("\(name).most").item()
      let given = stride(from: 0, to: gradient.count, by: 211).map { gradient[$0] }
      let difference = zip(given, wanted).map { abs($0 - $1) }.max() ?? .infinity
      #expect(given.count == wanted.count && difference < 1e-4 * most, "\(path): \(difference) of \(most)")
    }
    CachingAllocator.trim()
  }

  @Test("assignments of least cost, of any shape, as by trying all")
  func assignment() throws {
    for number in 0..<6 {
      let costs = try expected("assignment.\(number).costs")
      let wanted = try expected("assignment.\(number).columns").values(of: Int64.self)
      let columns = LinearAssignment.columns(
        costs.values().map(Double.init), rows: costs.shape[0], columns: costs.shape[1])
      #expect(columns.map { Int64($0 ?? -1) } == wanted, "\(costs.shape)")
    }
    #expect(LinearAssignment.columns([], rows: 3, columns: 0) == [nil, nil, nil])
    #expect(LinearAssignment.columns([], rows: 0, columns: 3) == [])
    // Of equals always the same; what is no number is taken last.
    #expect(LinearAssignment.columns([1, 1, 1, 1], rows: 2, columns: 2) == [0, 1])
    #expect(LinearAssignment.columns([.nan, 1, 2, .infinity], rows: 2, columns: 2) == [1, 0])
  }

  @Test("small matrices, with equal costs among them, cost as little as any permutation")
  func permutations() throws {
    let generator = RandomGenerator(seed: 3)
    for size in 1...6 {
      for _ in 0..<20 {
        let costs = (0..<size * size).map { _ in Double(generator.integer(in: 0..<5)) - 2 }
        let columns = try LinearAssignment.columns(costs, rows: size, columns: size).map { try #require($0) }
        #expect(Set(columns).count == size)
        let cost = columns.enumerated().reduce(0) { $0 + costs[$1.offset * size + $1.element] }
        #expect(cost == least(costs, size, row: 0, taken: []))
      }
    }
  }

  private func least(_ costs: [Double], _ size: Int, row: Int, taken: Set<Int>) -> Double {
    if row == size { return 0 }
    return (0..<size).filter { !taken.contains($0) }.map {
      costs[row * size + $0] + least(costs, size, row: row + 1, taken: taken.union([$0]))
    }.min()!
  }

  @Test("with a frozen body a small one learns two objects by heart, and the body stays as it is")
  func learning() throws {
    var configuration = DETR.Configuration(body: .resnet18)
    configuration.transformer = TransformerConfiguration(width: 32, heads: 4, hidden: 64, dropout: 0)
    (configuration.encoderLayers, configuration.decoderLayers) = (1, 2)
    (configuration.queries, configuration.labels) = (6, 20)
    let model = withRandomSeed(7) { DETR(configuration) }
    model.freeze("backbone")
    let body = model.backbone.namedParameters.map { $0.parameter.value.values() }
    let learner = model.learner(Adam(learningRate: 2e-3))
    #expect(learner.gradientNormLimit == 0.1)
    model.train()
    let batch = batch()
    let first = try learner.learn(from: batch)
    for _ in 0..<60 { _ = try learner.learn(from: batch) }
    let last = try learner.evaluation(of: batch)
    #expect(last.loss < 0.6 * first.loss, "\(first.loss) to \(last.loss)")
    #expect(try #require(last.metrics["class_error"]) < 50)
    #expect(model.backbone.namedParameters.map { $0.parameter.value.values() } == body)
  }
}
