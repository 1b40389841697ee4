import CThreads
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import AviaryTensors

/// Copies of compiled graphs, which share weights and run at the same time.
@Suite("Copies of compiled graphs")
struct CompiledCopyTests {
  /// Kernels of every kind: Winograd's, depthwise, divided among threads or not, and operations without a kernel that a plan can hold.
  private static let body: @Sendable (Tensor) -> Tensor = { x in
    let same = ConvolutionGeometry(stride: [1, 1], padding: Padding([1, 1]))
    let depthwise = ConvolutionGeometry(stride: [1, 1], padding: Padding([1, 1]), groups: 32)
    let first = convolution(x, sample([32, 3, 3, 3]), same).relu()
    let second = convolution(first, sample([32, 32, 3, 3]) * 0.1, same) + first
    let third = convolution(second, sample([32, 1, 3, 3]), depthwise).relu()
    let scores = linear(third.mean([2, 3]), sample([40, 32]), bias: sample([40]))
    return concatenate([scores.softmax(1), scores.cumulativeSum(1)], axis: 1)
  }

  private static let shape: Shape = [1, 3, 24, 24]

  private static func graph(_ algorithms: AlgorithmChoice = .measured) -> CompiledGraph {
    CompiledGraph(TensorSpec(shape), algorithms: algorithms, weights: { _ in nil }, capturing: body)
  }

  @Test("threads with copies, and threads with the same one, get what one thread gets", arguments: [1, 4])
  func concurrent(copies count: Int) {
    for algorithms in [AlgorithmChoice.once, .direct, .measured] {
      let graph = Self.graph(algorithms)
      let inputs = (0..<8).map { sample(Self.shape, seed: $0 + 1) }
      let expected = inputs.map { graph($0).values() }
      let graphs = [graph] + (1..<count).map { _ in graph.copy() }
      let wrong = Atomic<Int>(0)
      DispatchQueue.concurrentPerform(iterations: 4) { thread in
        for run in 0..<200 {
          let index = (run * 3 + thread) % inputs.count
          if graphs[thread % count](inputs[index]).values() != expected[index] {
            wrong.add(1, ordering: .relaxed)
          }
        }
      }
      #expect(wrong.load(ordering: .relaxed) == 0)
    }
  }

  /// Passes its operand on once two runs have come to it, or after a long time.
  private struct Rendezvous: AviaryTensors.Operation {
    final class Place: Sendable {
      let arrivals = Atomic<Int>(0)
    }

    let place: Place

    static func == (a: Self, b: Self) -> Bool { a.place === b.place }
    func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(place)) }
    func outputs(for inputs: [TensorSpec]) -> [TensorSpec] { inputs }
    func gradient(_ context: GradientContext) -> [Tensor?] { [nil] }
    var onnxName: String { "Identity" }

    func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
      place.arrivals.add(1, ordering: .sequentiallyConsistent)
      let limit = Date(timeIntervalSinceNow: 20)
      while place.arrivals.load(ordering: .sequentiallyConsistent) < 2, Date() < limit { usleep(100) }
      let met = place.arrivals.load(ordering: .sequentiallyConsistent) == 2
      return [inputs[0] * (met ? 1 : 0)]
    }
  }

  @Test("one copy runs while another one does")
  func overlap() {
    let place = Rendezvous.Place()
    let graph = CompiledGraph(
      TensorSpec([4]), weights: { _ in nil }, capturing: { Rendezvous(place: place)($0 + 1) })
    let graphs = [graph, graph.copy()]
    let other = DispatchSemaphore(value: 0)
    // A thread of its own on any machine.
    Thread.detachNewThread {
      _ = graphs[1](.ones([4]))
      other.signal()
    }
    #expect(graphs[0](.ones([4])).values() == [2, 2, 2, 2])
    other.wait()
  }

  @Test("a copy takes its arena and no weights", arguments: [AlgorithmChoice.once, .direct])
  func memory(algorithms: AlgorithmChoice) {
    let weights = sample([512, 512, 3, 3])
    let geometry = ConvolutionGeometry(stride: [1, 1], padding: Padding([1, 1]))
    let graph = CompiledGraph(
      TensorSpec([1, 512, 6, 6]), algorithms: algorithms, weights: { _ in nil },
      capturing: { convolution($0, weights, geometry) })
    let input = sample([1, 512, 6, 6])
    let expected = graph(input).values()
    let before = CachingAllocator.statistics.inUse
    let copy = graph.copy()
    let growth = CachingAllocator.statistics.inUse - before
    #expect(growth >= graph.arenaByteCount && growth < graph.arenaByteCount + 1 << 16)
    if algorithms == .direct { #expect(growth < weights.byteCount / 4) }
    #expect(copy(input).values() == expected)
    #expect(CachingAllocator.statistics.inUse == before + growth)
  }

  @Test("a NaN in one thread's run is kept there and disturbs no other thread's")
  func invalid() {
    let graph = Self.graph()
    let graphs = [graph, graph.copy(), graph.copy(), graph.copy()]
    var damaged = sample(Self.shape)
    damaged.withUnsafeMutableValues { $0[100] = .nan }
    let inputs = [damaged, sample(Self.shape)]
    let expected = graph(inputs[1]).values()
    let wrong = Atomic<Int>(0)
    DispatchQueue.concurrentPerform(iterations: 4) { thread in
      for _ in 0..<100 {
        clear_invalid_flag()
        let values = graphs[thread](inputs[thread % 2]).values()
        let isRight =
          thread % 2 == 0
          ? values.contains { $0.isNaN } && has_invalid_flag() : values == expected && !has_invalid_flag()
        if !isRight { wrong.add(1, ordering: .relaxed) }
      }
    }
    #expect(wrong.load(ordering: .relaxed) == 0)
  }

  @Test("threads that ask for the same measurement get one answer")
  func measuredOnce() {
    let kernel = ConvolutionKernel(
      ConvolutionGeometry(stride: [1, 1], padding: Padding([1, 1])), input: [1, 32, 14, 14],
      weights: [32, 32, 3, 3])
    let memory = AlgorithmMemory(path: nil)
    let answers = Mutex<Set<ConvolutionKernel.Algorithm>>([])
    DispatchQueue.concurrentPerform(iterations: 4) { _ in
      let answer = memory.algorithm(for: kernel)
      answers.withLock { _ = $0.insert(answer) }
    }
    #expect(answers.withLock { $0 } == [memory.algorithm(for: kernel)])
  }

  @Test("weights that a run computes are packed anew in each run")
  func computedWeights() {
    let specs = [TensorSpec([1, 16, 9, 9]), TensorSpec([16, 16, 3, 3]), TensorSpec([5, 1296])]
    let geometry = ConvolutionGeometry(stride: [1, 1], padding: Padding([1, 1]))
    let body: ([Tensor]) -> [Tensor] = { inputs in
      let features = convolution(inputs[0], inputs[1] * 0.1, geometry)
      return [features, linear(features.reshaped([1, 1296]), inputs[2])]
    }
    let graph = CompiledGraph(specs, weights: { _ in nil }, capturing: body)
    for seed in 1...3 as ClosedRange<UInt64> {
      let inputs = specs.map { sample($0.shape, seed: seed) }
      for (found, expected) in zip(graph(inputs), body(inputs)) {
        #expect(relativeDifference(found, expected) < 1e-5)
      }
    }
  }
}
