import AviaryLayers
import AviaryTensors
import TestSupport
import Testing

/// Published exercises with numbers, and identities that hold exactly.
@Suite("Worked examples: numbers")
struct NumberExamples {
  private func pooling(_ kernel: Int) -> PoolingGeometry { PoolingGeometry(kernel: [kernel, kernel]) }

  @Test("a vertical edge detector with padding 1 and stride 2 gives −8 −4 / −12 −6")
  func convolutionByHand() {
    let layer = Conv2d(1, 1, kernel: 3, stride: 2, padding: 1, bias: false)
    layer.weight.value = Tensor([Float(1), 0, -1, 1, 0, -1, 1, 0, -1], shape: [1, 1, 3, 3])
    let x = Tensor([Float(1), 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7], shape: [1, 1, 4, 4])
    #expect(layer(x).values() == [-8, -4, -12, -6])
  }

  @Test("softmax cross-entropy at initialisation is log C")
  func initialLoss() {
    for (classes, expected) in [(2, Float(0.6931472)), (10, 2.3025851), (1000, 6.9077554)] {
      let layer = Linear(8, classes, initializer: .zeros)
      let loss = softmaxCrossEntropy(layer(sample([4, 8])), labels: Tensor([Int64(0), 1, 1, 0]))
      #expect(abs(loss.item() - expected) < 1e-5)
    }
  }

  @Test("KL(p‖q) = CE(p, q) − H(p), equals CE for one-hot p, and is not symmetric")
  func divergence() {
    let p = (sample([3, 5], seed: 1) * 2).softmax()
    let logits = sample([3, 5], seed: 2) * 2
    let q = logits.softmax()
    let crossEntropy = softmaxCrossEntropy(logits, probabilities: p).item()
    let entropy = softmaxCrossEntropy(p.log(), probabilities: p).item()
    #expect(abs(klDivergence(logProbabilities: q.log(), targets: p).item() - (crossEntropy - entropy)) < 1e-5)
    #expect(abs(klDivergence(logProbabilities: p.log(), targets: p).item()) < 1e-6)
    #expect(
      abs(
        klDivergence(logProbabilities: q.log(), targets: p).item()
          - klDivergence(logProbabilities: p.log(), targets: q).item()) > 1e-2)
    let oneHot = Tensor([Float(0), 1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0], shape: [3, 5])
    let labelled = softmaxCrossEntropy(logits, labels: Tensor([Int64(1), 4, 0])).item()
    #expect(abs(klDivergence(logProbabilities: q.log(), targets: oneHot).item() - labelled) < 1e-5)
  }

  @Test("the gradient of softmax and cross-entropy is p − y, over the batch")
  func crossEntropyGradient() {
    let logits = sample([2, 3], in: -2..<2)
    let expected = (logits.softmax() - Tensor([Float(0), 0, 1, 1, 0, 0], shape: [2, 3])) / 2
    let actual = gradient(at: logits) { softmaxCrossEntropy($0, labels: Tensor([Int64(2), 0])) }
    #expect(relativeDifference(actual, expected) < 1e-5)
  }

  @Test("σ' = σ(1 − σ), a quarter at 0; tanh' = 1 − tanh², one at 0")
  func activationGradients() {
    let x = Tensor([Float(-2), -0.5, 0, 0.5, 2])
    let sigmoid = gradient(at: x) { $0.sigmoid().sum() }
    let tanh = gradient(at: x) { $0.tanh().sum() }
    #expect(relativeDifference(sigmoid, x.sigmoid() * (1 - x.sigmoid())) < 1e-6)
    #expect(relativeDifference(tanh, 1 - x.tanh().square()) < 1e-6)
    #expect(sigmoid.values()[2] == 0.25 && tanh.values()[2] == 1)
  }

  @Test("log-average pooling has the softmax of its window as gradient")
  func logAveragePooling() {
    let x = sample([1, 2, 3, 3], in: -3..<3)
    let actual = gradient(at: x) { $0.logAveragePooled(pooling(3)).sum() }
    let expected = x.reshaped([2, 9]).softmax().reshaped([1, 2, 3, 3])
    #expect(relativeDifference(actual, expected) < 1e-5)
    let equal = Tensor(repeating: Float(1.5), shape: [1, 1, 2, 2]).logAveragePooled(pooling(2))
    #expect(abs(equal.item() - 1.5) < 1e-5)
  }

  @Test("p-norm pooling goes to the maximum as p grows")
  func normPooling() {
    let x = sample([1, 2, 4, 4], in: 0.1..<1)
    let largest = x.maxPooled(pooling(2))
    let errors = [1, 4, 16, 64].map { relativeDifference(x.normPooled(Float($0), pooling(2)), largest) }
    #expect(errors == errors.sorted(by: >))
    #expect(errors[3] < 0.025)
    #expect(relativeDifference(x.normPooled(1, pooling(2)), x.averagePooled(pooling(2)) * 4) < 1e-5)
  }

  @Test("Y = XW: dX = dY Wᵀ and dW = Xᵀ dY")
  func matrixGradients() {
    let (x, w) = (sample([4, 3]), sample([3, 5], seed: 2))
    let upstream = sample([4, 5], seed: 3)
    let gradients = valueAndGradients(at: [x, w]) { ($0[0].matmul($0[1]) * upstream).sum() }.gradients
    #expect(relativeDifference(gradients[0], upstream.matmul(w.transposed())) < 1e-6)
    #expect(relativeDifference(gradients[1], x.transposed().matmul(upstream)) < 1e-6)
  }

  @Test("average pooling spreads 1/k to each input, max pooling routes everything to the largest")
  func poolingGradients() {
    let x = Tensor([Float(1), 5, 2, 3], shape: [1, 1, 2, 2])
    #expect(gradient(at: x) { $0.averagePooled(pooling(2)).sum() }.values() == [0.25, 0.25, 0.25, 0.25])
    #expect(gradient(at: x) { $0.maxPooled(pooling(2)).sum() }.values() == [0, 1, 0, 0])
  }

  @Test("Newton's step minimises a quadratic at once, with H⁻¹ = 1/(4ac − b²)·[[2c, −b], [−b, 2a]]")
  func newton() {
    let (a, b, c) = (Float(2), Float(1), Float(3))
    let curvature = Tensor([2 * a, b, b, 2 * c], shape: [2, 2])
    let slope = Tensor([Float(-4), 7], shape: [2, 1])
    func loss(_ w: Tensor) -> Tensor {
      (w.transposed().matmul(curvature).matmul(w) * 0.5 + slope.transposed().matmul(w)).sum()
    }
    let inverse = Tensor([2 * c, -b, -b, 2 * a], shape: [2, 2]) / (4 * a * c - b * b)
    #expect(
      relativeDifference(curvature.matmul(inverse), Tensor([Float(1), 0, 0, 1], shape: [2, 2])) < 1e-6)
    let start = Tensor([Float(10), -20], shape: [2, 1])
    let minimum = start - inverse.matmul(gradient(at: start, of: loss))
    #expect(gradient(at: minimum, of: loss).abs().amax().item() < 1e-4)
    for direction in [[Float(0.1), 0], [0, 0.1], [-0.1, 0.1]] {
      #expect(loss(minimum + Tensor(direction, shape: [2, 1])).item() > loss(minimum).item())
    }
  }

  @Test("the hinge loss of W and λW is 0 for both once every margin is met; at the start it is about C − 1")
  func hinge() {
    let scores = Tensor([Float(3), 1, 0.5, -2, 4, 1], shape: [2, 3])
    let labels = Tensor([Int64(0), 1])
    #expect(hingeLoss(scores, labels: labels).item() == 0)
    #expect(hingeLoss(scores * 2, labels: labels).item() == 0)
    #expect(hingeLoss(scores * 0.1, labels: labels).item() > 0)
    let layer = withRandomSeed(1) { Linear(32, 10, initializer: .normal(standardDeviation: 1e-3)) }
    let loss = hingeLoss(layer(sample([64, 32])), labels: Tensor((0..<64).map { Int64($0 % 10) }))
    #expect(abs(loss.item() - 9) < 0.05)
  }

  @Test(
    "VAE: the divergence of N(μ, σ²) from N(0, 1) is 0 at the prior, ½ per unit of mean, (e − 2)/2 at σ² = e")
  func variationalDivergence() {
    let (zero, one) = (Tensor.zeros([2, 4]), Tensor.ones([2, 4]))
    #expect(normalKLDivergence(mean: zero, logVariance: zero).item() == 0)
    #expect(abs(normalKLDivergence(mean: one, logVariance: zero).item() - 2) < 1e-6)
    #expect(abs(normalKLDivergence(mean: zero, logVariance: one).item() - 4 * 0.35914) < 1e-4)
    // The estimate E[log q(z) − log p(z)] from samples of q agrees.
    let (mean, deviation) = (Float(0.7), Float(1.4))
    let z = Tensor.normal([1 << 18], using: RandomGenerator(seed: 1))
    let ratio = (mean + deviation * z).square() * 0.5 - z.square() * 0.5 - Tensor(deviation).log()
    let exact = normalKLDivergence(
      mean: Tensor([mean]).expandedAxis(at: 0),
      logVariance: Tensor([deviation]).square().log().expandedAxis(at: 0))
    #expect(abs(ratio.mean().item() - exact.item()) < 0.01)
  }

  @Test("GAN: with labels smoothed to 0.9 and 0.1 the best discriminator says just that, at a loss of 0.3251")
  func smoothedLabels() {
    let best = Tensor([Float(2.1972246), -2.1972246])
    let targets = Tensor([Float(0.9), 0.1])
    #expect(abs(sigmoidCrossEntropy(best, targets: targets).item() - 0.3250830) < 1e-5)
    #expect(gradient(at: best) { sigmoidCrossEntropy($0, targets: targets) }.abs().amax().item() < 1e-6)
    #expect(sigmoidCrossEntropy(best * 2, targets: targets).item() > 0.3250830)
  }

  @Test(
    "DDPM: x_t = √ᾱ x₀ + √(1 − ᾱ) ε keeps unit variance, and predicting no noise costs E‖ε‖² = 1 per value")
  func diffusion() {
    let generator = RandomGenerator(seed: 2)
    let (x, noise) = (Tensor.normal([1 << 18], using: generator), Tensor.normal([1 << 18], using: generator))
    for kept: Float in [1, 0.7, 0.1, 0] {
      let mixed = x * kept.squareRoot() + noise * (1 - kept).squareRoot()
      #expect(abs(mixed.variance().item() - 1) < 0.02)
    }
    #expect(abs(meanSquaredError(.zeros(noise.shape), noise).item() - 1) < 0.02)
    #expect(meanSquaredError(noise, noise).item() == 0)
  }

  @Test(
    "the Gram matrix M Mᵀ of C×HW features: 5 11 / 11 25 for rows 1 2 and 3 4; symmetric, blind to position")
  func gram() {
    func gram(_ features: Tensor) -> Tensor {
      einsum("ncs,nds->ncd", features.flattened(from: 2), features.flattened(from: 2))
    }
    let small = Tensor([Float(1), 2, 3, 4], shape: [1, 2, 1, 2])
    #expect(gram(small).values() == [5, 11, 11, 25])
    let features = sample([2, 5, 4, 4])
    let matrix = gram(features)
    #expect(matrix.shape == [2, 5, 5])
    #expect(relativeDifference(matrix, matrix.transposed()) < 1e-6)
    #expect(relativeDifference(gram(features.rolled(1, axis: 3).flipped(2)), matrix) < 1e-5)
  }
}
