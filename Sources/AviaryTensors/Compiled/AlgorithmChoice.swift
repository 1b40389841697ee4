import Foundation
import Synchronization

/// How a compiled network chooses between algorithms that compute the same.
public enum AlgorithmChoice: Sendable {
  /// Direct convolutions only, and weights that are brought into their kernels' layouts by each run: the least work and memory for one
  /// run of a network that was just loaded.
  case once
  /// Direct convolutions only: exact arithmetic, small packed weights, nothing measured.
  case direct
  /// The faster one, measured once for each shape and kept in a file for the next process.
  case measured

  func algorithm(for kernel: ConvolutionKernel) -> ConvolutionKernel.Algorithm {
    guard case .measured = self, !ExecutionScope.current.isExact,
      kernel.mayUseWinograd || SplitConvolution(kernel) != nil
    else { return .direct }
    return AlgorithmMemory.shared.algorithm(for: kernel)
  }
}

/// What was measured, in this process and, through a file, in earlier ones.
///
/// The file belongs to one processor, library version and number of threads; a damaged or foreign one is ignored and replaced.
final class AlgorithmMemory: Sendable {
  static let shared = AlgorithmMemory(path: CacheFolder.path().map { $0 + "/algorithms.json" })

  private struct Document: Codable {
    var machine: String
    var choices: [String: String]
  }

  private let path: String?
  private let choices = Mutex<[String: ConvolutionKernel.Algorithm]?>(nil)
  /// Measurements at the same time would disturb each other, and two of one shape could end differently.
  private let isMeasuring = Mutex(())

  init(path: String?) { self.path = path }

  func algorithm(for kernel: ConvolutionKernel) -> ConvolutionKernel.Algorithm {
    let key = kernel.measurementKey
    if let known = known(key) { return known }
    return isMeasuring.withLock { _ in
      // Another thread may have measured it meanwhile.
      if let known = known(key) { return known }
      let measured = kernel.measuredAlgorithm()
      remember(measured, for: kernel)
      // Another process may have measured other shapes meanwhile.
      choices.withLock { _ in save(load().merging([key: measured]) { $1 }) }
      return measured
    }
  }

  private func known(_ key: String) -> ConvolutionKernel.Algorithm? {
    choices.withLock { choices in
      if choices == nil { choices = load() }
      return choices![key]
    }
  }

  /// Settles the choice for this process, not for the next one.
  func remember(_ algorithm: ConvolutionKernel.Algorithm, for kernel: ConvolutionKernel) {
    choices.withLock { choices in
      if choices == nil { choices = load() }
      choices![kernel.measurementKey] = algorithm
    }
  }

  private func load() -> [String: ConvolutionKernel.Algorithm] {
    guard let path, let data = FileManager.default.contents(atPath: path), data.count < 16 << 20,
      let document = try? JSONDecoder().decode(Document.self, from: data), document.machine == OneDNN.machine
    else { return [:] }
    return document.choices.compactMapValues(ConvolutionKernel.Algorithm.init)
  }

  /// Written whole or not at all; a folder that cannot be written to only means measuring again.
  private func save(_ choices: [String: ConvolutionKernel.Algorithm]) {
    guard let path else { return }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    let document = Document(machine: OneDNN.machine, choices: choices.mapValues(\.rawValue))
    let folder = URL(filePath: path).deletingLastPathComponent()
    try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try? encoder.encode(document).write(to: URL(filePath: path), options: .atomic)
  }
}

extension ConvolutionKernel {
  fileprivate var measurementKey: String {
    "\(input.shapeText) by \(weights.shapeText), pad \(geometry.padding.before) \(geometry.padding.after)"
  }

  /// Times the algorithms on values that do not matter, in turns, the fastest of several runs each: whatever else the machine does
  /// then disturbs all alike. As in a network, other weights went through the caches since the run before: transformed weights are up to
  /// four times as long, and have to come from memory.
  fileprivate func measuredAlgorithm() -> Algorithm {
    let candidates = candidates
    var best = [UInt64](repeating: .max, count: candidates.count)
    let others = Tensor.zeros(.rowMajor([Self.cacheLineCount, 16]), [Self.cacheLineCount, 16])
    for _ in 0..<Self.measuredRuns {
      for (index, candidate) in candidates.enumerated() {
        others.passThroughCaches()
        let start = DispatchTime.now().uptimeNanoseconds
        candidate.run()
        best[index] = min(best[index], DispatchTime.now().uptimeNanoseconds - start)
      }
    }
    return candidates[best.indices.min { best[$0] < best[$1] }!].algorithm
  }

  /// Algorithms that compute this, and a run by each on zeros.
  var candidates: [(algorithm: Algorithm, run: () -> Void)] {
    if let split = SplitConvolution(self) { return [(.direct, run(.direct)), (.split, run(split))] }
    let loop = WinogradLoop(self, accumulates: false, after: nil)
    return [Algorithm.direct, .winograd4x3, .winograd2x3].map { ($0, run($0)) }
      + (loop.map { [(.ownWinograd, run($0))] } ?? [])
  }

  private func run(_ algorithm: Algorithm) -> () -> Void {
    var kernel = self
    kernel.algorithm = algorithm
    kernel.finishing = []
    let primitive = kernel.forwardPrimitive
    var operands = [
      Primitive.Argument(Primitive.Slot.source, .zeros(primitive.descriptor(.source(0)), input)),
      Primitive.Argument(Primitive.Slot.weights, .zeros(primitive.descriptor(.weights(0)), groupedWeights)),
      Primitive.Argument(Primitive.Slot.destination, .zeros(primitive.descriptor(.destination(0)), output)),
    ]
    if hasBias { operands.append(Primitive.Argument(Primitive.Slot.bias, .zeros([weights[0]]))) }
    return { primitive.execute(operands) }
  }

  private func run(_ split: SplitConvolution) -> () -> Void {
    let source = Tensor.zeros(.blockedChannels(input, block: MovedCopies.block), input)
    let copies = Tensor.zeros(.rowMajor(split.copies.output), split.copies.output)
    let convolution = split.inner.run(split.inner.algorithm)
    return {
      split.copies.write(
        source.pointer.assumingMemoryBound(to: Float.self),
        to: copies.pointer.assumingMemoryBound(to: Float.self))
      convolution()
    }
  }

  private func run(_ loop: WinogradLoop) -> () -> Void {
    let operands = [
      Tensor.zeros(.blockedChannels(input, block: ChannelBlocks.size), input),
      .zeros([weights[0] * weights[1] * 36]), .zeros([weights[0]]),
      .zeros(.blockedChannels(output, block: ChannelBlocks.size), output), .zeros([loop.scratchCount]),
    ]
    return { loop.run(operands.map { $0.pointer.assumingMemoryBound(to: Float.self) }) }
  }

  private static let measuredRuns = 7
  /// 48 MB: more than most processors' caches hold, or a core's share of them.
  private static let cacheLineCount = 48 << 20 / 64
}

extension Tensor {
  /// Zeros in a layout that a primitive chose.
  fileprivate static func zeros(_ descriptor: MemoryDescriptor, _ shape: Shape) -> Tensor {
    let tensor = Tensor(descriptor, shape: shape)
    memset(tensor.pointer, 0, descriptor.byteCount)
    return tensor
  }

  /// Writes a value to each cache line.
  fileprivate func passThroughCaches() {
    let values = Unchecked(pointer.assumingMemoryBound(to: Float.self))
    Parallel.forEachRange(count / 16, grain: 4096) { lines in
      for line in lines { values.value[16 * line] += 1 }
    }
  }
}
