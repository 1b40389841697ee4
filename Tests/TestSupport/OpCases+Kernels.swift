import AviaryTensors

/// Convolutions, products, pooling and normalization with every attribute that changes the kernel.
public let kernelCases: [OpCase] =
  convolutionCases + productCases + poolingCases + normalizationCases
  + regionCases

private func geometry(
  _ stride: [Int], _ before: [Int], _ after: [Int]? = nil, dilation: [Int]? = nil, groups: Int = 1
) -> ConvolutionGeometry {
  ConvolutionGeometry(
    stride: stride, padding: Padding(before: before, after: after ?? before), dilation: dilation,
    groups: groups)
}

/// One value per channel, so large that a ReLU after it lets a channel through or not, and no value lies near its kink.
private func decided(_ size: Float) -> Tensor {
  Tensor((0..<16).map { $0 % 3 == 0 ? -size : size }, shape: [16])
}

private let convolutionCases: [OpCase] = [
  OpCase("convolution 1-D", [sample([2, 3, 9]), sample([4, 3, 3], seed: 2), sample([4], seed: 3)]) {
    convolution($0[0], $0[1], bias: $0[2], geometry([2], [1]))
  },
  OpCase("convolution 2-D", [sample([2, 3, 6, 5]), sample([4, 3, 3, 3], seed: 2), sample([4], seed: 3)]) {
    convolution($0[0], $0[1], bias: $0[2], geometry([1, 1], [1, 1]))
  },
  OpCase(
    "convolution 2-D without bias, stride 2, asymmetric padding",
    [sample([1, 3, 6, 7]), sample([4, 3, 3, 2], seed: 2)]
  ) {
    convolution($0[0], $0[1], geometry([2, 1], [0, 1], [1, 0]))
  },
  OpCase("convolution 2-D, dilation", [sample([1, 2, 7, 7]), sample([3, 2, 3, 3], seed: 2)]) {
    convolution($0[0], $0[1], geometry([1, 1], [2, 2], dilation: [2, 2]))
  },
  OpCase(
    "convolution 2-D, groups", [sample([1, 4, 5, 5]), sample([6, 2, 3, 3], seed: 2), sample([6], seed: 3)]
  ) {
    convolution($0[0], $0[1], bias: $0[2], geometry([1, 1], [1, 1], groups: 2))
  },
  OpCase("convolution 2-D, depthwise", [sample([1, 16, 5, 5]), sample([16, 1, 3, 3], seed: 2)]) {
    convolution($0[0], $0[1], geometry([1, 1], [1, 1], groups: 16))
  },
  OpCase(
    "convolution 2-D, depthwise with multiplier", [sample([1, 3, 5, 5]), sample([6, 1, 3, 3], seed: 2)]
  ) {
    convolution($0[0], $0[1], geometry([2, 2], [1, 1], groups: 3))
  },
  OpCase(
    "convolution 2-D, Winograd", [sample([1, 16, 6, 6]), sample([16, 16, 3, 3], seed: 2)], tolerance: 2e-2
  ) {
    convolution($0[0], $0[1], geometry([1, 1], [1, 1]))
  },
  OpCase(
    "convolution 2-D with ReLU", [sample([2, 16, 5, 5]), sample([16, 16, 3, 3], seed: 2), decided(20)],
    tolerance: 2e-2
  ) {
    convolution($0[0], $0[1], bias: $0[2], geometry([1, 1], [1, 1]), rectifies: true)
  },
  OpCase(
    "convolution 3-D", [sample([1, 2, 4, 5, 4]), sample([3, 2, 3, 3, 3], seed: 2), sample([3], seed: 3)]
  ) {
    convolution($0[0], $0[1], bias: $0[2], geometry([1, 2, 1], [1, 1, 0]))
  },
  OpCase(
    "transposed convolution", [sample([1, 3, 4, 4]), sample([3, 4, 3, 3], seed: 2), sample([4], seed: 3)]
  ) {
    transposedConvolution($0[0], $0[1], bias: $0[2], geometry([2, 2], [1, 1]), outputPadding: [1, 1])
  },
  OpCase(
    "transposed convolution, groups, asymmetric", [sample([1, 4, 3, 3]), sample([4, 2, 3, 3], seed: 2)]
  ) {
    transposedConvolution($0[0], $0[1], geometry([2, 2], [0, 0], [1, 1], groups: 2))
  },
  OpCase("transposed convolution 1-D", [sample([1, 2, 5]), sample([2, 3, 4], seed: 2)]) {
    transposedConvolution($0[0], $0[1], geometry([2], [1]))
  },
]

private let productCases: [OpCase] = [
  OpCase("matrix product", [sample([3, 4]), sample([4, 5], seed: 2)]) { $0[0].matmul($0[1]) },
  OpCase("matrix product, batched", [sample([2, 3, 4]), sample([2, 4, 5], seed: 2)]) { $0[0].matmul($0[1]) },
  OpCase("matrix product, broadcast batch", [sample([2, 2, 3, 4]), sample([1, 4, 5], seed: 2)]) {
    $0[0].matmul($0[1])
  },
  OpCase("matrix product of transposed views", [sample([2, 4, 3]), sample([2, 5, 4], seed: 2)]) {
    $0[0].transposed().matmul($0[1].transposed())
  },
  OpCase("matrix product of heads", [sample([2, 3, 2, 4]), sample([2, 3, 2, 4], seed: 2)]) {
    $0[0].permuted([0, 2, 1, 3]).matmul($0[1].permuted([0, 2, 3, 1]))
  },
  OpCase("linear", [sample([3, 4]), sample([5, 4], seed: 2), sample([5], seed: 3)]) {
    linear($0[0], $0[1], bias: $0[2])
  },
  OpCase("linear on a sequence, no bias", [sample([2, 3, 4]), sample([5, 4], seed: 2)]) {
    linear($0[0], $0[1])
  },
  OpCase("einsum", [sample([2, 3, 4]), sample([2, 5, 4], seed: 2)]) { einsum("bqd,bkd->kbq", $0[0], $0[1]) },
  OpCase(
    "einsum, three operands and a sum", [sample([2, 3]), sample([3, 4], seed: 2), sample([4, 2], seed: 3)]
  ) {
    einsum("ij,jk,kl->l", $0[0], $0[1], $0[2])
  },
]

private let poolingCases: [OpCase] = [
  OpCase("maximum pooling", [spread([2, 3, 6, 6])]) { $0[0].maxPooled(.init(kernel: [2, 2])) },
  OpCase("maximum pooling, stride, padding, ceiling", [spread([1, 2, 6, 7])]) {
    $0[0].maxPooled(.init(kernel: [3, 3], stride: [2, 2], padding: Padding([1, 1]), usesCeiling: true))
  },
  OpCase("maximum pooling, 16 channels", [spread([1, 16, 4, 4])]) {
    $0[0].maxPooled(.init(kernel: [3, 3], stride: [1, 1]))
  },
  OpCase("maximum pooling 1-D", [spread([1, 2, 8])]) { $0[0].maxPooled(.init(kernel: [2])) },
  OpCase("maximum pooling 3-D", [spread([1, 2, 4, 4, 4])]) { $0[0].maxPooled(.init(kernel: [2, 2, 2])) },
  OpCase("average pooling, padding counted", [sample([1, 2, 5, 5])]) {
    $0[0].averagePooled(.init(kernel: [3, 3], stride: [2, 2], padding: Padding([1, 1])))
  },
  OpCase("average pooling, padding not counted", [sample([1, 2, 5, 5])]) {
    $0[0].averagePooled(
      .init(kernel: [3, 3], stride: [2, 2], padding: Padding([1, 1])), countsPadding: false)
  },
  OpCase("average pooling, ceiling and padding", [sample([1, 2, 6, 6])]) {
    $0[0].averagePooled(.init(kernel: [3, 3], stride: [2, 2], padding: Padding([1, 1]), usesCeiling: true))
  },
  OpCase("p-norm pooling", [sample([1, 2, 4, 4], in: 0.2..<1)]) {
    $0[0].normPooled(3, .init(kernel: [2, 2]))
  },
  OpCase("log-average pooling", [sample([1, 2, 4, 4])]) { $0[0].logAveragePooled(.init(kernel: [2, 2])) },
  OpCase("adaptive average pooling", [sample([1, 2, 5, 7])]) { $0[0].adaptiveAveragePooled(to: [3, 3]) },
  OpCase("global average pooling", [sample([2, 16, 5, 7])]) { $0[0].adaptiveAveragePooled(to: [1, 1]) },
  OpCase("adaptive maximum pooling", [spread([1, 2, 5, 7])]) { $0[0].adaptiveMaxPooled(to: [3, 3]) },
  OpCase("maximum unpooling", [spread([1, 2, 4, 4])]) {
    let (values, positions) = $0[0].maxPooledWithPositions(.init(kernel: [2, 2]))
    return values.maxUnpooled(positions, to: [4, 4])
  },
]

private let normalizationCases: [OpCase] = [
  OpCase(
    "batch norm, training", [sample([4, 3, 3, 3]), sample([3], seed: 2), sample([3], seed: 3)],
    tolerance: 2e-2
  ) {
    batchNormalized($0[0], scale: $0[1], shift: $0[2], epsilon: 1e-3).result
  },
  OpCase(
    "batch norm, training, N×C", [sample([8, 3]), sample([3], seed: 2), sample([3], seed: 3)], tolerance: 2e-2
  ) {
    batchNormalized($0[0], scale: $0[1], shift: $0[2], epsilon: 1e-2).result
  },
  OpCase("batch norm, given statistics", [sample([2, 3, 3, 3]), sample([3], seed: 2), sample([3], seed: 3)]) {
    batchNormalized(
      $0[0], scale: $0[1], shift: $0[2], mean: sample([3], seed: 4),
      variance: sample([3], seed: 5, in: 0.5..<1),
      epsilon: 1e-5)
  },
  OpCase(
    "batch norm with ReLU, training", [sample([4, 16, 3, 3]), sample([16], seed: 2), decided(4)],
    tolerance: 2e-2
  ) {
    batchNormalized($0[0], scale: $0[1], shift: $0[2], epsilon: 1e-3, rectifies: true).result
  },
  OpCase(
    "batch norm with ReLU, given statistics",
    [sample([2, 16, 3, 3]), sample([16], seed: 2), decided(8)]
  ) {
    batchNormalized(
      $0[0], scale: $0[1], shift: $0[2], mean: sample([16], seed: 4),
      variance: sample([16], seed: 5, in: 0.5..<1),
      epsilon: 1e-5, rectifies: true)
  },
  OpCase("group norm", [sample([2, 4, 3, 3]), sample([4], seed: 2), sample([4], seed: 3)], tolerance: 2e-2) {
    groupNormalized($0[0], groups: 2, scale: $0[1], shift: $0[2], epsilon: 1e-3)
  },
  OpCase("layer norm", [sample([3, 5]), sample([5], seed: 2), sample([5], seed: 3)], tolerance: 2e-2) {
    layerNormalized($0[0], scale: $0[1], shift: $0[2], epsilon: 1e-3)
  },
  OpCase(
    "layer norm of two axes", [sample([2, 3, 4]), sample([3, 4], seed: 2), sample([3, 4], seed: 3)],
    tolerance: 2e-2
  ) {
    layerNormalized($0[0], scale: $0[1], shift: $0[2], epsilon: 1e-3)
  },
  OpCase("RMS norm", [sample([3, 5]), sample([5], seed: 2)]) {
    rmsNormalized($0[0], scale: $0[1], epsilon: 1e-3)
  },
  OpCase("local response norm", [sample([1, 8, 3, 3], in: 0.5..<2)]) {
    $0[0].localResponseNormalized(size: 5, alpha: 0.5, beta: 0.75, k: 2)
  },
  OpCase("local response norm, 16 channels", [sample([1, 16, 3, 3], in: 0.5..<2)]) {
    $0[0].localResponseNormalized(size: 3, alpha: 0.5, beta: 0.75, k: 1)
  },
  OpCase("softmax", [sample([3, 5])]) { $0[0].softmax() },
  OpCase("softmax along the first axis", [sample([3, 2, 4])]) { $0[0].softmax(0) },
  OpCase("log-softmax", [sample([3, 5])]) { $0[0].logSoftmax() },
]

private let regions = Tensor([Float(0), 1.5, 0.5, 9, 11.25, 1, 3, 2, 30, 9], shape: [2, 5])

private let regionCases: [OpCase] = [
  OpCase("regions by samples", [sample([2, 2, 5, 6])]) {
    regionsAligned([$0[0]], regions: regions, size: (2, 3), scales: [0.5], samples: 2)
  },
  OpCase(
    "regions by samples of two maps, as many as there are places",
    [sample([2, 2, 5, 6]), sample([2, 2, 3, 3], seed: 2)]
  ) {
    regionsAligned(
      $0, regions: regions, levels: Tensor([Int64(1), 0]), size: (2, 2), scales: [0.5, 0.25], isAligned: true)
  },
  OpCase("regions by the largest value", [spread([2, 2, 5, 6])]) {
    regionsMaxPooled($0[0], regions: regions, size: (2, 2), scale: 0.5)
  },
]
