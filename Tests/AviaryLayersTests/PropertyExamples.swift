import AviaryLayers
import AviaryTensors
import TestSupport
import Testing

/// One head of attention softmax(Q Kᵀ/√D) V over N×T×D, to show what it does and does not depend on.
private final class SelfAttention: Layer {
  let query: Linear
  let key: Linear
  let value: Linear
  /// Added to the input; nil for a set without order.
  let positions: Parameter?
  private let looksAhead: Bool

  init(width: Int, positions count: Int? = nil, looksAhead: Bool = true) {
    query = Linear(width, width)
    key = Linear(width, width)
    value = Linear(width, width)
    positions = count.map { Parameter([$0, width], .normal(standardDeviation: 1)) }
    self.looksAhead = looksAhead
  }

  func callAsFunction(_ input: Tensor) -> Tensor {
    let x = positions.map { input + $0.value } ?? input
    let scale = 1 / Float(x.shape[2]).squareRoot()
    var scores = einsum("nqd,nkd->nqk", query(x), key(x)) * scale
    if !looksAhead {
      let places = Tensor.arange(x.shape[1])
      let allowed = places.expandedAxis(at: 1) .>= places.expandedAxis(at: 0)
      scores = select(allowed, scores, Tensor(-Float.infinity))
    }
    return scores.softmax().matmul(value(x))
  }
}

/// Published statements about what layers keep and lose.
@Suite("Worked examples: properties")
struct PropertyExamples {
  @Test("a convolution follows a shift, global pooling does not notice it, a linear layer does neither")
  func translation() {
    // Zeros around the picture keep the border out of it.
    let picture = sample([1, 3, 6, 6]).padded(before: [0, 0, 4, 4], after: [0, 0, 4, 4])
    let shifted = picture.rolled(2, axis: 2).rolled(-1, axis: 3)
    let conv = Conv2d(3, 5, kernel: 3, padding: 1)
    let features = conv(picture)
    let moved = features.rolled(2, axis: 2).rolled(-1, axis: 3)
    #expect(relativeDifference(conv(shifted), moved) < 1e-5)
    #expect(relativeDifference(conv(shifted), features) > 0.1)
    let pooled = Sequential(conv, Activate(.relu), GlobalAvgPool())
    #expect(relativeDifference(pooled(shifted), pooled(picture)) < 1e-5)
    let linear = Linear(14 * 14 * 3, 14 * 14)
    let (before, after) = (linear(picture.flattened(from: 1)), linear(shifted.flattened(from: 1)))
    #expect(relativeDifference(after, before) > 0.1)
    let image = before.reshaped([1, 1, 14, 14]).rolled(2, axis: 2).rolled(-1, axis: 3)
    #expect(relativeDifference(after.reshaped([1, 1, 14, 14]), image) > 0.1)
  }

  @Test("self-attention without positions follows a permutation of its tokens; with positions it does not")
  func permutation() {
    let tokens = sample([2, 6, 8], seed: 3)
    let order = [3, 0, 5, 1, 4, 2]
    let plain = SelfAttention(width: 8)
    #expect(
      relativeDifference(plain(tokens.taking(order, axis: 1)), plain(tokens).taking(order, axis: 1)) < 1e-5)
    let placed = SelfAttention(width: 8, positions: 6)
    #expect(
      relativeDifference(placed(tokens.taking(order, axis: 1)), placed(tokens).taking(order, axis: 1)) > 1e-2)
  }

  @Test("masked self-attention never looks ahead: a later token changes nothing before it")
  func masking() {
    let tokens = sample([1, 6, 8], seed: 3)
    let changed = concatenate([tokens.sliced(1, 0..<4), sample([1, 2, 8], seed: 4)], axis: 1)
    let masked = SelfAttention(width: 8, positions: 6, looksAhead: false)
    let (before, after) = (masked(tokens), masked(changed))
    #expect(relativeDifference(after.sliced(1, 0..<4), before.sliced(1, 0..<4)) < 1e-6)
    #expect(relativeDifference(after.sliced(1, 4..<6), before.sliced(1, 4..<6)) > 1e-2)
    let flow = gradient(at: tokens) { masked($0).sliced(1, 0..<3).square().sum() }
    #expect(flow.sliced(1, 3..<6).abs().amax().item() == 0)
    let free = SelfAttention(width: 8, positions: 6)
    #expect(relativeDifference(free(changed).sliced(1, 0..<4), free(tokens).sliced(1, 0..<4)) > 1e-3)
  }

  @Test("a linear layer is a convolution with a kernel as large as its input")
  func linearAsConvolution() {
    let linear = Linear(3 * 5 * 4, 7)
    let conv = Conv2d(3, 7, kernel: [5, 4])
    conv.weight.value = linear.weight.value.reshaped([7, 3, 5, 4])
    if let bias = linear.bias { conv.bias?.value = bias.value }
    let x = sample([2, 3, 5, 4])
    #expect(relativeDifference(conv(x).flattened(from: 1), linear(x.flattened(from: 1))) < 1e-5)
  }

  @Test("a 1×1 convolution is a linear layer at every pixel")
  func pointwise() {
    let conv = Conv2d(6, 4, kernel: 1)
    let linear = Linear(6, 4)
    linear.weight.value = conv.weight.value.reshaped([4, 6])
    if let bias = conv.bias { linear.bias?.value = bias.value }
    let x = sample([2, 6, 5, 3])
    let pixels = linear(x.permuted([0, 2, 3, 1])).permuted([0, 3, 1, 2])
    #expect(relativeDifference(conv(x), pixels) < 1e-5)
  }

  @Test(
    "ViT's patch embedding, a linear map of each flattened 16×16 patch, is a 16×16 convolution of stride 16")
  func patchEmbedding() {
    let conv = Conv2d(3, 24, kernel: 16, stride: 16)
    let linear = Linear(3 * 16 * 16, 24)
    linear.weight.value = conv.weight.value.reshaped([24, 3 * 16 * 16])
    if let bias = conv.bias { linear.bias?.value = bias.value }
    let x = sample([2, 3, 64, 48])
    // N×C×4×16×3×16 to N×12 patches of C·16·16 values.
    let patches = x.reshaped([2, 3, 4, 16, 3, 16]).permuted([0, 2, 4, 1, 3, 5]).reshaped([2, 12, 768])
    let tokens = conv(x).flattened(from: 2).transposed()
    #expect(tokens.shape == [2, 12, 24])
    #expect(relativeDifference(linear(patches), tokens) < 1e-5)
  }

  @Test(
    "dropout keeps the expectation by scaling; off it does nothing, left on it makes an ensemble that varies")
  func dropout() {
    let layer = Dropout(0.4)
    let x = Tensor.ones([1 << 16])
    #expect(layer(x).values() == x.values())
    layer.train()
    let dropped = withRandomSeed(1) { layer(x) }
    #expect(Set(dropped.values()).count == 2)
    #expect(abs(dropped.mean().item() - 1) < 0.02)
    #expect(abs(dropped.amax().item() - 1 / 0.6) < 1e-5)
    let model = withRandomSeed(2) { Sequential(Linear(16, 64), Activate(.relu), Dropout(0.5), Linear(64, 3)) }
    let input = sample([1, 16])
    let alone = model(input)
    model.train()
    let votes = withRandomSeed(3) { stack((0..<2000).map { _ in model(input) }) }
    #expect(votes.variance([0]).amin().item() > 1e-4)
    #expect((votes.mean([0]) - alone).abs().amax().item() < 0.05)
    model.evaluate()
    #expect(model(input).values() == alone.values())
  }

  @Test(
    "batch norm gives zero mean and unit variance per channel in training, and the running ones in evaluation"
  )
  func batchNorm() {
    let layer = BatchNorm(3)
    let x = sample([8, 3, 6, 6], in: -2..<6) * Tensor([Float(1), 5, 0.2], shape: [3, 1, 1])
    // Fresh running statistics are 0 and 1: evaluation hands values through.
    #expect(relativeDifference(layer(x), x) < 1e-4)
    layer.train()
    let normalized = layer(x)
    #expect(normalized.mean([0, 2, 3]).abs().amax().item() < 1e-5)
    #expect((normalized.variance([0, 2, 3]) - 1).abs().amax().item() < 1e-3)
    // One step moves the running statistics a tenth of the way, the variance being the unbiased one as in PyTorch.
    let (mean, variance) = (x.mean([0, 2, 3]), x.variance([0, 2, 3], isUnbiased: true))
    #expect(relativeDifference(layer.runningMean.value, mean * 0.1) < 1e-4)
    #expect(relativeDifference(layer.runningVar.value, variance * 0.1 + 0.9) < 1e-4)
    for _ in 0..<200 { _ = layer(x) }
    layer.evaluate()
    #expect(relativeDifference(layer(x), normalized) < 5e-3)
    // In evaluation a sample does not depend on the others of its batch.
    #expect(relativeDifference(layer(x.sliced(0, 0..<1)), layer(x).sliced(0, 0..<1)) < 1e-6)
  }

  @Test("a frozen batch norm changes neither parameters nor running statistics in a training step")
  func frozenBatchNorm() {
    let model = Sequential(Conv2d(3, 4, kernel: 3), BatchNorm(4), GlobalAvgPool())
    model.freeze("1")
    model.train()
    let x = sample([4, 3, 6, 6])
    let before = model.stateEntries.map { $0.value.values() }
    let (_, gradients) = valueAndGradient(of: model) { model(x).square().sum() }
    for parameter in model.parameters {
      if let gradient = gradients[parameter] { parameter.value = parameter.value - gradient * 0.1 }
    }
    let changed = zip(model.stateEntries, before).filter { $0.0.value.values() != $0.1 }.map { $0.0.name }
    #expect(changed == ["0.weight", "0.bias"])
  }
}
