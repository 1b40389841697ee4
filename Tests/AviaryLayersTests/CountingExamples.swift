import AviaryLayers
import AviaryTensors
import Testing

/// Published exercises about counting: sizes, parameters, multiply-adds, receptive fields.
@Suite("Worked examples: counting and shapes")
struct CountingExamples {
  private func relu() -> Activate { Activate(.relu) }

  @Test("convolution 5×5 with 10 filters on 3×32×32: 10×32×32, 760 parameters, 768 000 multiply-adds")
  func smallConvolution() {
    let summary = Summary(of: Conv2d(3, 10, kernel: 5, padding: 2), inputShape: [1, 3, 32, 32])
    #expect(summary.outputShape == [1, 10, 32, 32])
    #expect(summary.parameters == 760)
    #expect(summary.multiplyAdds == 768_000)
  }

  @Test("AlexNet's first layer on 227×227: 64×56×56, 784 KB, 23 296 parameters, 72 855 552 multiply-adds")
  func alexNetStem() {
    let layer = Conv2d(3, 64, kernel: 11, stride: 4, padding: 2)
    let summary = Summary(of: layer, inputShape: [1, 3, 227, 227])
    #expect(summary.outputShape == [1, 64, 56, 56])
    #expect(summary.outputShape.elementCount == 200_704)
    #expect(summary.activationBytes == 784 * 1024)
    #expect(summary.parameters == 23_296)
    #expect(summary.multiplyAdds == 72_855_552)
    // At 224×224, which text-books print beside 56, the formula gives ⌊(224 + 4 − 11) / 4⌋ + 1 = 55.
    #expect(Summary(of: layer, inputShape: [1, 3, 224, 224]).outputShape == [1, 64, 55, 55])
  }

  @Test("a LeNet with 20 and 50 filters: 20×28×28, 14, 50×14×14, 7, 2450, 500, 10")
  func leNetVariant() {
    let model = Sequential(
      Conv2d(1, 20, kernel: 5, padding: 2), relu(), MaxPool2d(kernel: 2),
      Conv2d(20, 50, kernel: 5, padding: 2), relu(), MaxPool2d(kernel: 2),
      Flatten(), Linear(2450, 500), relu(), Linear(500, 10))
    let shapes = Summary(of: model, inputShape: [1, 1, 28, 28]).rows.map { Array($0.outputShape.dropFirst()) }
    #expect(
      shapes == [
        [20, 28, 28], [20, 28, 28], [20, 14, 14], [50, 14, 14], [50, 14, 14], [50, 7, 7], [2450], [500],
        [500],
        [10],
      ])
  }

  @Test("perceptrons: 400-300-100-10 has 151 410 parameters and 810 activations, 20-50-100-3 has 6 453")
  func perceptrons() {
    let large = Sequential(Linear(400, 300), Linear(300, 100), Linear(100, 10))
    let summary = Summary(of: large, inputShape: [1, 400])
    #expect(summary.parameters == 151_410)
    // The input counts as the first layer of activations.
    #expect(400 + summary.activationBytes / 4 == 810)
    #expect(Sequential(Linear(20, 50), Linear(50, 100), Linear(100, 3)).parameterCount == 6_453)
  }

  @Test("32×32×3 to conv 8, pool, batch norm, conv 16, pool, linear: 224, 16 + 16, 1 168, 10 250")
  func smallNetwork() {
    let model = Sequential(
      Conv2d(3, 8, kernel: 3, padding: 1), Activate(.leakyReLU()), MaxPool2d(kernel: 2), BatchNorm(8),
      Conv2d(8, 16, kernel: 3, padding: 1), Activate(.leakyReLU()), MaxPool2d(kernel: 2), Flatten(),
      Linear(1024, 10))
    let rows = Summary(of: model, inputShape: [1, 3, 32, 32]).rows
    #expect(rows.map(\.parameters).filter { $0 > 0 } == [224, 16, 1_168, 10_250])
    #expect(model.namedBuffers.reduce(0) { $0 + $1.buffer.shape.elementCount } == 16)
    #expect(rows[7].outputShape == [1, 1024])
    #expect(model(.zeros([1, 3, 32, 32])).shape == [1, 10])
  }

  @Test("L stacked K×K convolutions see 1 + L(K − 1); three 3×3 see 7×7 with 27C² instead of 49C² weights")
  func receptiveFields() {
    func field(_ layers: [any Layer]) -> [Int]? {
      Summary(of: Sequential(layers), inputShape: [1, 8, 64, 64]).rows.last?.receptiveField
    }
    for (count, kernel) in [(1, 3), (3, 3), (5, 3), (2, 5), (4, 7)] {
      let layers = (0..<count).map { _ in Conv2d(8, 8, kernel: Extents(kernel)) }
      let expected = 1 + count * (kernel - 1)
      #expect(field(layers) == [expected, expected])
    }
    func weights(_ layers: [Conv2d]) -> Int { layers.reduce(0) { $0 + $1.parameterCount } }
    let three = (0..<3).map { _ in Conv2d(8, 8, kernel: 3, bias: false) }
    #expect(weights(three) == 27 * 64)
    #expect(weights([Conv2d(8, 8, kernel: 7, bias: false)]) == 49 * 64)
    // Behind a stride every step of the window is that many input positions: 3 + (3 − 1)·2 = 7, then 7 + 2·4 = 15.
    #expect(field([Conv2d(8, 8, kernel: 3, stride: 2), Conv2d(8, 8, kernel: 3)]) == [7, 7])
    let strided = (0..<3).map { _ in Conv2d(8, 8, kernel: 3, stride: 2) }
    #expect(field(strided) == [15, 15])
    #expect(field([Conv2d(8, 8, kernel: 3, dilation: 4)]) == [9, 9])
  }

  /// The output shapes without the batch axis and the receptive fields, layer by layer.
  private func trace(_ model: Sequential, _ input: Shape) -> (shapes: [Shape], fields: [[Int]]) {
    let rows = Summary(of: model, inputShape: [1] + input).rows
    return (rows.map { Array($0.outputShape.dropFirst()) }, rows.map(\.receptiveField))
  }

  @Test("late fusion of 20 frames sees one frame until the end: 12×20×64×64, 12×20×16×16, 24×20×16×16, 24")
  func lateFusion() {
    // A 2-D convolution per frame is a 3-D one that is 1 deep.
    let model = Sequential(
      Conv3d(3, 12, kernel: [1, 3, 3], padding: .symmetric([0, 1, 1])), MaxPool3d(kernel: [1, 4, 4]),
      Conv3d(12, 24, kernel: [1, 3, 3], padding: .symmetric([0, 1, 1])), GlobalAvgPool())
    let (shapes, fields) = trace(model, [3, 20, 64, 64])
    #expect(shapes[..<3] == [[12, 20, 64, 64], [12, 20, 16, 16], [24, 20, 16, 16]])
    #expect(shapes.last == [24])
    #expect(fields[..<4] == [[1, 3, 3], [1, 6, 6], [1, 14, 14], [20, 64, 64]])
    // The same network on the frames as a batch, with layers that are 2-D in name too.
    let frames = Sequential(Conv2d(3, 12, kernel: 3, padding: 1), MaxPool2d(kernel: 4))
    frames.parameters[0].value = model.parameters[0].value.squeezed(2)
    frames.parameters[1].value = model.parameters[1].value
    let video = Tensor.uniform([1, 3, 20, 64, 64], using: RandomGenerator(seed: 1))
    let expected = frames(video[0].permuted([1, 0, 2, 3])).permuted([1, 0, 2, 3])
    let difference = (model[0..<2](video)[0] - expected).abs().amax().item()
    #expect(difference < 1e-5)
  }

  @Test("early fusion of 20 frames sees all of them at once: 12×64×64, 12×16×16, 24×16×16, 24")
  func earlyFusion() {
    let model = Sequential(
      Conv2d(3 * 20, 12, kernel: 3, padding: 1), MaxPool2d(kernel: 4), Conv2d(12, 24, kernel: 3, padding: 1),
      GlobalAvgPool())
    let (shapes, fields) = trace(model, [60, 64, 64])
    #expect(shapes[..<3] == [[12, 64, 64], [12, 16, 16], [24, 16, 16]])
    #expect(shapes.last == [24])
    #expect(fields[..<4] == [[3, 3], [6, 6], [14, 14], [64, 64]])
  }

  @Test("a 3-D network sees more frames from layer to layer: 12×20×64×64, 12×5×16×16, 24×5×16×16, 24")
  func slowFusion() {
    let model = Sequential(
      Conv3d(3, 12, kernel: 3, padding: 1), MaxPool3d(kernel: 4), Conv3d(12, 24, kernel: 3, padding: 1),
      GlobalAvgPool())
    let (shapes, fields) = trace(model, [3, 20, 64, 64])
    #expect(shapes[..<3] == [[12, 20, 64, 64], [12, 5, 16, 16], [24, 5, 16, 16]])
    #expect(shapes.last == [24])
    #expect(fields[..<4] == [[3, 3, 3], [6, 6, 6], [14, 14, 14], [20, 64, 64]])
  }
}
