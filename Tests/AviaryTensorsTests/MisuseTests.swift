#if compiler(>=6.2)
  import AviaryTensors
  import TestSupport
  import Testing

  /// What a program's author gets wrong ends the program with a sentence that says what was given and what was expected; in release
  /// builds too, where Swift's own checks end it without a word. Each misuse runs in a process of its own.
  @Suite("Misuse of tensors")
  struct MisuseTests {
    @Test("ends with a sentence", arguments: misuses.indices)
    func endsWithSentence(index: Int) async throws {
      let result = try await #require(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        [index] in
        misuses[index].body()
      }
      let errors = String(decoding: result.standardErrorContent, as: UTF8.self)
      #expect(errors.contains(misuses[index].sentence), "\(misuses[index].sentence): \(errors)")
    }
  }

  private let misuses = shapeMisuses + positionMisuses + kernelMisuses

  private let shapeMisuses = [
    Misuse("4 values given for the shape 3") { _ = Tensor([Float](repeating: 0, count: 4), shape: [3]) },
    Misuse("2×3 and 4") { _ = sample([2, 3]) + sample([4]) },
    Misuse("2×3 and 2×3") { _ = sample([2, 3]).matmul(sample([2, 3])) },
    Misuse("reshape: 2×3") { _ = sample([2, 3]).reshaped([4]) },
    Misuse("reshape: 2×3") { _ = sample([2, 3]).reshaped([4, -1]) },
    Misuse("6×-1") { _ = sample([2, 3]).reshaped([-1, -1]) },
    Misuse("reshape") { _ = sample([2, 3]).reshaped([-1, 0]) },
    Misuse("-1") { _ = Tensor.zeros([2, -1]) },
    Misuse("permut") { _ = sample([2, 3]).permuted([0, 0]) },
    Misuse("permut") { _ = sample([2, 3]).permuted([0]) },
    Misuse("axis 5") { _ = sample([2, 3]).squeezed(5) },
    Misuse("more than one element") { _ = sample([2, 3]).squeezed(0) },
    Misuse("expand") { _ = sample([2, 3]).expanded(to: [2, 4]) },
    Misuse("no tensors") { _ = concatenate([], axis: 0) },
    Misuse("no tensors") { _ = stack([]) },
    Misuse("does not fit") { _ = concatenate([sample([2, 3]), sample([3, 2])], axis: 0) },
    Misuse("does not fit") { _ = stack([sample([2, 3]), sample([3, 2])]) },
    Misuse("split") { _ = sample([2, 5]).split(1, into: 2) },
    Misuse("split") { _ = sample([2, 5]).split(1, into: 0) },
    Misuse("pad") { _ = sample([2, 3]).padded(before: [1], after: [0]) },
    Misuse("pad") { _ = sample([2, 3]).padded(before: [-1, 0], after: [0, 0]) },
    Misuse("reflection by 3") { _ = sample([2, 3]).padded(before: [0, 3], after: [0, 0], .reflect) },
    Misuse("einsum") { _ = einsum("ij,jk", sample([2, 3]), sample([3, 4])) },
  ]

  private let positionMisuses = [
    Misuse("position 2") { _ = sample([2, 3])[2] },
    Misuse("position -1") { _ = sample([2, 3])[-1] },
    Misuse("4 elements from 0") { _ = sample([2, 3]).sliced(1, 0..<4) },
    Misuse("steps of 0") { _ = sample([2, 3]).sliced(1, 0..<3, step: 0) },
    Misuse("position 3") { _ = sample([2, 3]).gathered(1, Tensor([Int64(3), 0], shape: [2, 1])) },
    Misuse("index") { _ = sample([2, 3]).taking([3], axis: 1) },
    Misuse("token 4") { _ = embedding(sample([4, 2]), tokens: Tensor([Int64(4)])) },
    Misuse("5 best of 3") { _ = sample([2, 3]).topK(5) },
    Misuse("no values") { _ = Tensor.zeros([2, 0]).argMax() },
    Misuse("nothing to reduce") { _ = Tensor.zeros([2, 0]).amax([1]) },
    Misuse("float32") { _ = sample([2]).values(of: Int64.self) },
    Misuse("one element") { _ = sample([2]).item() },
    Misuse("do not mix") { _ = sample([2]) + Tensor([Int64(1), 2]) },
    Misuse("not bool") { _ = select(sample([2]), sample([2]), sample([2])) },
    Misuse("floating-point") { _ = Tensor([Int64(1)]).relu() },
    Misuse("one element") { _ = gradient(at: sample([2])) { $0 * 2 } },
    Misuse("int64") { _ = gradient(at: Tensor([Int64(1)])) { $0.cast(to: .float32).sum() } },
  ]

  private func geometry(_ stride: Int = 1, groups: Int = 1) -> ConvolutionGeometry {
    ConvolutionGeometry(stride: [stride, stride], padding: .none(2), groups: groups)
  }

  private let kernelMisuses = [
    Misuse("an input of 3 channels") {
      _ = convolution(sample([1, 3, 8, 8]), sample([4, 2, 3, 3]), geometry())
    },
    Misuse("does not fit into") { _ = convolution(sample([1, 3, 2, 2]), sample([4, 3, 3, 3]), geometry()) },
    Misuse("stride") { _ = convolution(sample([1, 3, 8, 8]), sample([4, 3, 3, 3]), geometry(0)) },
    Misuse("groups") { _ = convolution(sample([1, 3, 8, 8]), sample([4, 3, 3, 3]), geometry(groups: 0)) },
    Misuse("bias") {
      _ = convolution(sample([1, 3, 8, 8]), sample([4, 3, 3, 3]), bias: sample([3]), geometry())
    },
    Misuse("kernel") { _ = sample([1, 2, 4, 4]).maxPooled(.init(kernel: [0, 0])) },
    Misuse("pooling over 2 axes") { _ = sample([2, 4]).maxPooled(.init(kernel: [2, 2])) },
    Misuse("linear") { _ = linear(sample([2, 3]), sample([4, 5])) },
    Misuse("layer normalization") {
      _ = layerNormalized(sample([2, 3]), scale: sample([4]), shift: sample([4]), epsilon: 1e-5)
    },
    Misuse("batch normalization") {
      _ = batchNormalized(sample([2, 3]), scale: sample([4]), shift: sample([4]), epsilon: 1e-5)
    },
    Misuse("groups") {
      _ = groupNormalized(
        sample([2, 3, 4]), groups: 2, scale: sample([3]), shift: sample([3]), epsilon: 1e-5)
    },
    Misuse("groups") {
      _ = groupNormalized(
        sample([2, 3, 4]), groups: 0, scale: sample([3]), shift: sample([3]), epsilon: 1e-5)
    },
    Misuse("to 0×5") { _ = sample([1, 2, 4, 4]).interpolated(to: [0, 5], .nearest) },
    Misuse("adaptive pooling") { _ = sample([1, 2, 4, 4]).adaptiveAveragePooled(to: [0, 1]) },
  ]
#endif
