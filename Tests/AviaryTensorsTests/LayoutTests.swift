import TestSupport
import Testing

@testable import AviaryTensors

/// Row-major values with the few operations that move elements, written as plain loops.
private struct PlainArray {
  var shape: Shape
  var values: [Float]

  init(shape: Shape, values: [Float]) {
    self.shape = shape
    self.values = values
  }

  init(_ tensor: Tensor) { self.init(shape: tensor.shape, values: tensor.values()) }

  var tensor: Tensor { Tensor(values, shape: shape) }

  /// The array of another shape whose element at each position is this one's at `source(position)`.
  private func gathered(_ shape: Shape, _ source: ([Int]) -> [Int]) -> PlainArray {
    let (own, strides) = (self.shape.rowMajorStrides, shape.rowMajorStrides)
    let values = (0..<shape.elementCount).map { index in
      let position = shape.indices.map { index / strides[$0] % shape[$0] }
      return self.values[zip(source(position), own).reduce(0) { $0 + $1.0 * $1.1 }]
    }
    return PlainArray(shape: shape, values: values)
  }

  func permuted(_ order: [Int]) -> PlainArray {
    gathered(order.map { shape[$0] }) { position in
      var source = position
      for (place, axis) in order.enumerated() { source[axis] = position[place] }
      return source
    }
  }

  func sliced(_ axis: Int, _ start: Int, _ count: Int, step: Int) -> PlainArray {
    var shape = shape
    shape[axis] = count
    return gathered(shape) { position in
      var source = position
      source[axis] = start + position[axis] * step
      return source
    }
  }

  func concatenatedWithItself(_ axis: Int) -> PlainArray {
    var shape = shape
    shape[axis] *= 2
    return gathered(shape) { position in
      var source = position
      source[axis] %= self.shape[axis]
      return source
    }
  }
}

@Suite("Layouts")
struct LayoutTests {
  /// Each chain applies twelve random steps to one tensor, whose layout may be anything, and to row-major copies.
  @Test("random chains of views and kernels equal row-major copies at every step", arguments: 0..<40)
  func chains(seed: Int) {
    var dice = RandomGenerator(seed: UInt64(seed)).numbers(200).makeIterator()
    func roll(_ count: Int) -> Int { Int(dice.next() ?? 0) % count }
    var actual = sample([2, [3, 8, 16, 20][roll(4)], 9, 10], seed: UInt64(seed))
    var expected = PlainArray(actual)
    for step in 0..<12 {
      let name: String
      switch roll(7) {
      case 0:
        var order = [0, 1, 2, 3]
        order.swapAt(roll(4), roll(4))
        order.swapAt(roll(4), roll(4))
        (actual, expected) = (actual.permuted(order), expected.permuted(order))
        name = "permute \(order)"
      case 1:
        let axis = roll(4)
        let (start, stride) = (roll((actual.shape[axis] + 1) / 2), 1 + roll(2))
        let range = start..<actual.shape[axis]
        let count = (range.count + stride - 1) / stride
        actual = actual.sliced(axis, range, step: stride)
        expected = expected.sliced(axis, start, count, step: stride)
        name = "slice axis \(axis) \(range) by \(stride)"
      case 2:
        let shape = actual.shape
        actual = actual.reshaped([shape[1], shape[0], shape[3], shape[2]])
        expected.shape = actual.shape
        name = "reshape"
      case 3 where actual.count < 20_000:
        let axis = roll(4)
        actual = concatenate([actual, actual], axis: axis)
        expected = expected.concatenatedWithItself(axis)
        name = "concatenate axis \(axis)"
      case 4:
        (actual, expected) = (actual.relu() + actual, PlainArray(expected.tensor.relu() + expected.tensor))
        name = "relu and add"
      case 5:
        let shift = sample([actual.shape[1], 1, 1], seed: UInt64(step))
        (actual, expected) = (actual * shift, PlainArray(expected.tensor * shift))
        name = "scale per channel"
      default:
        let filters = [4, 5, 16, 24][roll(4)]
        let weights = sample([filters, actual.shape[1], 3, 3], seed: UInt64(step))
        let geometry = ConvolutionGeometry(stride: [1, 1], padding: Padding([1, 1]))
        actual = convolution(actual, weights, geometry)
        expected = PlainArray(convolution(expected.tensor, weights, geometry))
        name = "convolution to \(filters)"
      }
      #expect(actual.shape == expected.shape)
      #expect(relativeDifference(actual, expected.tensor) <= 1e-5, "step \(step): \(name)")
      // Values stay of the same size, so that the tolerance means the same at every step.
      let scale = 1 / max(expected.values.map(abs).max() ?? 1, 1e-3)
      (actual, expected) = (actual * scale, PlainArray(expected.tensor * scale))
    }
  }

  @Test("two weights that are parts of one storage are packed separately")
  func packedViews() {
    let (x, weights) = (sample([4, 32]), sample([64, 32], seed: 2))
    for half in weights.split(0, into: 2) {
      let copy = Tensor(half.values(), shape: half.shape)
      #expect(relativeDifference(linear(x, half), linear(x, copy)) < 1e-6)
    }
    let pictures = sample([1, 16, 8, 8])
    let geometry = ConvolutionGeometry(stride: [1, 1], padding: Padding([1, 1]))
    for half in sample([32, 16, 3, 3], seed: 3).split(0, into: 2) {
      let copy = Tensor(half.values(), shape: half.shape)
      #expect(
        relativeDifference(convolution(pictures, half, geometry), convolution(pictures, copy, geometry))
          < 1e-6)
    }
  }

  @Test("several threads may use the same tensors, weights and kernels at once")
  func threads() async {
    let (x, weights) = (sample([1, 16, 20, 20]), sample([32, 16, 3, 3], seed: 2))
    let geometry = ConvolutionGeometry(stride: [1, 1], padding: Padding([1, 1]))
    let head = sample([10, 32 * 20 * 20], seed: 3)
    @Sendable func run() -> [Float] {
      linear(convolution(x, weights, geometry).relu().flattened(from: 1), head).softmax().values()
    }
    let results = await withTaskGroup(of: [Float].self) { group in
      for _ in 0..<8 { group.addTask { run() } }
      return await group.reduce(into: []) { $0.append($1) }
    }
    let expected = Tensor(run())
    #expect(results.count == 8)
    for result in results { #expect(relativeDifference(Tensor(result), expected) < 1e-5) }
  }

  @Test("changing a tensor in place leaves its copies and its packed copies behind")
  func inPlace() {
    var weights = sample([32, 16], seed: 2)
    let (x, before) = (sample([4, 16]), weights)
    let first = linear(x, weights)
    weights.withUnsafeMutableValues { values in for i in values.indices { values[i] *= 2 } }
    #expect(relativeDifference(linear(x, weights), first * 2) < 1e-6)
    #expect(linear(x, before).values() == first.values())
  }
}

extension RandomGenerator {
  /// Whole numbers for dice.
  fileprivate func numbers(_ count: Int) -> [Int32] {
    Tensor.uniform([count], in: 0..<1_000_000, using: self).cast(to: .int32).values(of: Int32.self)
  }
}

@Suite("Descriptions")
struct DescriptionTests {
  @Test("a tensor is printed with its shape, type and first values")
  func tensors() {
    #expect("\(Tensor([Float(0.5), -1], shape: [1, 2]))" == "Tensor 1×2 float32 [0.5, -1.0]")
    #expect("\(Tensor((0..<9).map(Int64.init)))" == "Tensor 9 int64 [0, 1, 2, 3, 4, 5, …]")
    #expect("\(Tensor(true))" == "Tensor scalar bool [true]")
    #expect("\(Tensor.zeros([0, 3]))" == "Tensor 0×3 float32 []")
    #expect("\(Tensor([Float(1.5)]).cast(to: .bfloat16))" == "Tensor 1 bfloat16 [1.5]")
    #expect("\(Tensor.abstract(TensorSpec([2])))" == "Tensor 2 float32 without values")
    // In logical order, however the values lie.
    let x = Tensor((0..<6).map(Float.init), shape: [2, 3]).transposed()
    #expect("\(x)" == "Tensor 3×2 float32 [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]")
  }
}
