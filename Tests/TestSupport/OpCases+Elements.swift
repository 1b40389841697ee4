import AviaryTensors

/// Element-by-element functions, reductions and movements of elements.
public let elementCases: [OpCase] = activationCases + arithmeticCases + reductionCases + movementCases

/// Away from zero, where several activations have a kink.
private let bent =
  sample([3, 4]) * Tensor(Float(2))
  + select(
    sample([3, 4]) .> Tensor(Float(0)), Tensor(Float(0.1)), Tensor(Float(-0.1)))

private let activationCases: [OpCase] = [
  OpCase("ReLU", [bent]) { $0[0].relu() },
  OpCase("ReLU6", [bent * 5]) { Activation.relu6($0[0]) },
  OpCase("leaky ReLU", [bent]) { Activation.leakyReLU(slope: 0.2)($0[0]) },
  OpCase("ELU", [bent]) { Activation.elu(alpha: 0.7)($0[0]) },
  OpCase("GELU", [bent]) { Activation.gelu($0[0]) },
  OpCase("GELU by tanh", [bent]) { Activation.geluTanh($0[0]) },
  OpCase("SiLU", [bent]) { Activation.silu($0[0]) },
  OpCase("sigmoid", [bent]) { $0[0].sigmoid() },
  OpCase("tanh", [bent]) { $0[0].tanh() },
  OpCase("hard sigmoid", [bent]) { Activation.hardSigmoid($0[0]) },
  OpCase("hard swish", [bent]) { Activation.hardSwish($0[0]) },
  OpCase("softplus", [bent]) { Activation.softplus($0[0]) },
  OpCase(
    "PReLU",
    [
      sample([2, 3, 2, 2], in: 0.2..<1) - sample([2, 3, 2, 2], seed: 9, in: 1.3..<1.6), sample([3], seed: 2),
    ]
  ) {
    prelu($0[0], slope: $0[1])
  },
  OpCase("maxout", [spread([2, 6, 2])]) { $0[0].maxout(pieces: 3) },
  OpCase("SwiGLU", [sample([2, 6])]) { $0[0].swiGLU() },
  OpCase("ReLU of a blocked layout", [bent.reshaped([1, 3, 2, 2]), sample([20, 3, 1, 1], seed: 2)]) {
    convolution($0[0], $0[1], ConvolutionGeometry(stride: [1, 1], padding: .none(2))).tanh()
  },
]

private let positive = sample([2, 3], in: 0.5..<2)

private let arithmeticCases: [OpCase] = [
  OpCase("sum", [sample([2, 3]), sample([2, 3], seed: 2)]) { $0[0] + $0[1] },
  OpCase("sum, broadcast", [sample([2, 1, 3]), sample([4, 1], seed: 2)]) { $0[0] + $0[1] },
  OpCase("difference, broadcast", [sample([2, 3]), sample([3], seed: 2)]) { $0[0] - $0[1] },
  OpCase("product", [sample([2, 3]), sample([2, 3], seed: 2)]) { $0[0] * $0[1] },
  OpCase("product, broadcast channels", [sample([2, 3, 2, 2]), sample([3, 1, 1], seed: 2)]) { $0[0] * $0[1] },
  OpCase("product, scalar on the left", [sample([]), sample([2, 3], seed: 2)]) { $0[0] * $0[1] },
  OpCase("quotient", [sample([2, 3]), positive]) { $0[0] / $0[1] },
  OpCase("maximum", [spread([2, 3]), spread([2, 3], seed: 2) * 0.77]) { maximum($0[0], $0[1]) },
  OpCase("minimum", [spread([2, 3]), spread([2, 3], seed: 2) * 0.77]) { minimum($0[0], $0[1]) },
  OpCase("power", [positive, sample([2, 3], seed: 2)]) { $0[0].power($0[1]) },
  OpCase("power by a number", [positive]) { $0[0].power(2.5) },
  OpCase("affine", [positive]) { 3 - $0[0] * 2 + 1 },
  OpCase("negation and reciprocal", [positive]) { 1 / -$0[0] },
  OpCase("exp", [positive]) { $0[0].exp() },
  OpCase("log", [positive]) { $0[0].log() },
  OpCase("square root", [positive]) { $0[0].squareRoot() },
  OpCase("square", [positive]) { $0[0].square() },
  OpCase("absolute value", [bent]) { $0[0].abs() },
  OpCase("clip", [spread([4, 5])]) { $0[0].clipped(-0.4, 0.5) },
  OpCase("sine", [sample([5])]) { $0[0].sine() },
  OpCase("cosine", [sample([5])]) { $0[0].cosine() },
  OpCase("arctangent", [sample([5])]) { $0[0].arctangent() },
  OpCase("select", [sample([2, 3]), sample([3], seed: 2)]) {
    select(spread([2, 3]) .> Tensor(Float(0)), $0[0], $0[1])
  },
  OpCase("cast", [sample([2, 3])], tolerance: 0.3) {
    $0[0].cast(to: .float32) * 1 + $0[0].cast(to: .float16).cast(to: .float32) * 0
  },
  OpCase("dropout", [sample([4, 4])]) { $0[0].dropout(probability: 0.5, using: RandomGenerator(seed: 7)) },
  OpCase("drop path", [sample([4, 4])]) {
    $0[0].droppedPath(probability: 0.5, using: RandomGenerator(seed: 7))
  },
  OpCase("checkpoint", [sample([2, 3]), sample([4, 3], seed: 2)]) { inputs in
    let hidden = inputs[0].tanh()
    return checkpoint([hidden, inputs[1]]) { linear($0[0], $0[1]).sigmoid() * hidden.shape[0].asFloat }
  },
]

extension Int { fileprivate var asFloat: Float { Float(self) } }

private let reductionCases: [OpCase] = [
  OpCase("sum of everything", [sample([2, 3])]) { $0[0].sum() },
  OpCase("sum of outer and inner axes", [sample([2, 3, 4])]) { $0[0].sum([0, 2]) },
  OpCase("sum of a middle axis", [sample([2, 3, 20])]) { $0[0].sum([1], keepsAxes: true) },
  OpCase("mean", [sample([2, 3, 4])]) { $0[0].mean([1]) },
  OpCase("largest", [spread([2, 3, 4])]) { $0[0].amax([1]) },
  OpCase("smallest", [spread([2, 3, 4])]) { $0[0].amin([0, 2]) },
  OpCase("variance", [sample([2, 5])]) { $0[0].variance([1], isUnbiased: true) },
  OpCase("norm", [sample([2, 5])]) { $0[0].norm(2, [1]) },
  OpCase("p-norm", [positive]) { $0[0].norm(3, [1]) },
  OpCase("log-sum-exp", [sample([2, 5])]) { $0[0].logSumExp([1]) },
  OpCase("cumulative sum", [sample([2, 5, 3])]) { $0[0].cumulativeSum(1) },
  OpCase("the value at the largest one's position", [spread([2, 7])]) {
    $0[0].gathered(1, $0[0].argMax().reshaped([2, 1]))
  },
  OpCase("top-k", [spread([2, 7])]) { $0[0].topK(3).values },
  OpCase("sort", [spread([2, 7])]) { $0[0].sorted().values },
]

private let positions = Tensor([Int64(2), 0, 1, 1, 2, 0], shape: [2, 3])

private let movementCases: [OpCase] = [
  OpCase("reshape", [sample([2, 6])]) { $0[0].reshaped([3, -1]).tanh() },
  OpCase("permute", [sample([2, 3, 4])]) { $0[0].permuted([2, 0, 1]).tanh() },
  OpCase("slice", [sample([4, 6])]) { $0[0].sliced(1, 1..<6, step: 2).tanh() },
  OpCase("expand", [sample([3, 1])]) { $0[0].expanded(to: [2, 3, 4]).tanh() },
  OpCase("concatenate", [sample([2, 3]), sample([2, 2], seed: 2)]) {
    concatenate([$0[0], $0[1]], axis: 1).tanh()
  },
  OpCase(
    "concatenate blocked",
    [sample([1, 16, 2, 2]), sample([1, 8, 2, 2], seed: 2), sample([16, 16, 1, 1], seed: 3)]
  ) {
    let blocked = convolution($0[0], $0[2], ConvolutionGeometry(stride: [1, 1], padding: .none(2)))
    return concatenate([blocked, $0[1]], axis: 1).tanh()
  },
  OpCase("stack and split", [sample([2, 4]), sample([2, 4], seed: 2)]) {
    stack([$0[0], $0[1]], axis: 1).split(2, into: 2)[1].tanh()
  },
  OpCase("repeat", [sample([2, 3])]) { $0[0].repeated(0, count: 3).tanh() },
  OpCase("pad", [sample([2, 3])]) { $0[0].padded(before: [1, 0], after: [0, 2], .constant(0.5)).tanh() },
  OpCase("pad by reflection", [sample([2, 4])]) {
    $0[0].padded(before: [0, 2], after: [1, 1], .reflect).tanh()
  },
  OpCase("pad by the edge", [sample([2, 4])]) {
    $0[0].padded(before: [0, 2], after: [1, 1], .replicate).tanh()
  },
  OpCase("gather", [sample([3, 3])]) { $0[0].sliced(0, 0..<2).gathered(1, positions).tanh() },
  OpCase("scatter", [sample([2, 3]), sample([2, 3], seed: 2)]) {
    $0[0].scatterAdded(1, positions, $0[1]).tanh()
  },
  OpCase("take", [sample([3, 4])]) { $0[0].taking([3, 0, 0], axis: 1).tanh() },
  OpCase("flip and roll", [sample([3, 4])]) { $0[0].flipped(0).rolled(-3, axis: 1).tanh() },
  OpCase("embedding", [sample([4, 3])]) { embedding($0[0], tokens: positions).tanh() },
  OpCase("nearest interpolation", [sample([1, 2, 3, 4])]) { $0[0].interpolated(to: [5, 2], .nearest) },
  OpCase("linear interpolation", [sample([1, 2, 3, 4])]) {
    $0[0].interpolated(to: [5, 7], .linear(alignsCorners: false))
  },
  OpCase("cubic interpolation", [sample([1, 2, 3, 4])]) {
    $0[0].interpolated(to: [5, 7], .cubic(alignsCorners: false))
  },
  OpCase("linear interpolation, corners aligned", [sample([1, 2, 3, 4])]) {
    $0[0].interpolated(to: [5, 2], .linear(alignsCorners: true))
  },
]
