import Foundation
import Synchronization

/// A network for one input shape as a flat list of kernels on memory that was laid out beforehand: a run allocates
/// nothing but its result.
public final class CompiledGraph {
  private enum Step {
    case primitive(BoundPrimitive, name: String)
    case operation(any Operation, inputs: [Tensor], outputs: [Tensor])
    case loop(any WritingOperation, inputs: [Tensor], output: Tensor)
  }

  /// One step of a run, for people who ask where the time goes.
  public struct Timing: Sendable, Codable {
    public var name: String
    /// The kernel's implementation, or `loop` for one of this package's own.
    public var implementation: String
    public var milliseconds: Double
  }

  public let inputShape: Shape
  private let input: Tensor
  private let output: Tensor
  private let steps: [Step]
  /// Weights in the layouts of their kernels, which the steps point into.
  private let constants: [Tensor]
  /// The arena holds one run's values at a time.
  private let isRunning = Mutex(())

  /// Bytes of all values of a run.
  public let arenaByteCount: Int

  /// Captures `body` for inputs of `spec` and compiles it.
  ///
  /// - Parameters:
  ///   - weights: the real tensor behind an abstract one that stands for a parameter or buffer.
  ///   - precision: float32, or bfloat16 for convolutions and linear maps whose operands are rounded to it.
  public convenience init(
    _ spec: TensorSpec, algorithms: AlgorithmChoice = .measured, precision: DType = .float32,
    weights: (Tensor) -> Tensor?,
    capturing body: (Tensor) -> Tensor
  ) {
    let input = Tensor.abstract(spec)
    let (output, steps) = Trace.of { body(input) }
    var graph = Graph(steps, input: input, output: output, weights: weights)
    graph.simplify()
    let (plan, source, result) = Planner.plan(graph, algorithms, precision: precision)
    self.init(plan, input: source, output: result)
  }

  init(_ plan: Plan, input: Int, output: Int) {
    var arena = plan.arena
    arena.place()
    let memory = Storage(byteCount: max(arena.byteCount, 64))
    let tensors = plan.values.map { value -> Tensor in
      switch value.location {
      case .constant(let tensor): return tensor
      case .arena(let block):
        let place = arena.blocks[block]
        return Tensor(
          value.spec, value.descriptor,
          in: Storage(
            partOf: memory, offset: place.offset + value.offset, byteCount: place.byteCount - value.offset))
      }
    }
    arenaByteCount = arena.byteCount
    constants = plan.values.compactMap { if case .constant(let tensor) = $0.location { tensor } else { nil } }
    steps = plan.steps.map { step in
      switch step {
      case .primitive(let primitive, let operands, let name):
        let arguments = operands.map { operand in
          Primitive.Argument(
            operand.slot, plan.values[operand.value].descriptor, tensors[operand.value].pointer)
        }
        return .primitive(BoundPrimitive(primitive, arguments), name: name)
      case .operation(let operation, let inputs, let outputs):
        let (inputs, outputs) = (inputs.map { tensors[$0] }, outputs.map { tensors[$0] })
        if let loop = operation as? any WritingOperation, inputs.allSatisfy(\.isRowMajorFloat32) {
          return .loop(loop, inputs: inputs, output: outputs[0])
        }
        return .operation(operation, inputs: inputs, outputs: outputs)
      }
    }
    self.input = tensors[input]
    self.output = tensors[output]
    inputShape = tensors[input].shape
  }

  /// The network's result for one input of ``inputShape``. Calls from several threads wait for each other.
  public func callAsFunction(_ input: Tensor) -> Tensor {
    precondition(
      input.shape == inputShape, "compiled for \(inputShape.shapeText), given \(input.shape.shapeText)")
    return isRunning.withLock { _ in
      self.input.overwrite(with: input.cast(to: .float32))
      for step in steps { run(step) }
      return output.copied()
    }
  }

  /// Times each step, the fastest of `repetitions` runs.
  public func profile(_ input: Tensor, repetitions: Int = 10) -> [Timing] {
    isRunning.withLock { _ in
      self.input.overwrite(with: input.cast(to: .float32))
      var best = [Double](repeating: .infinity, count: steps.count)
      for _ in 0..<max(repetitions, 1) {
        for (index, step) in steps.enumerated() {
          let start = DispatchTime.now().uptimeNanoseconds
          run(step)
          best[index] = min(best[index], Double(DispatchTime.now().uptimeNanoseconds - start) / 1e6)
        }
      }
      return zip(steps, best).map { step, milliseconds in
        switch step {
        case .primitive(let primitive, let name):
          Timing(name: name, implementation: primitive.implementation, milliseconds: milliseconds)
        case .loop(let operation, _, _):
          Timing(name: operation.onnxName, implementation: "loop", milliseconds: milliseconds)
        case .operation(let operation, _, _):
          Timing(name: operation.onnxName, implementation: "loop", milliseconds: milliseconds)
        }
      }
    }
  }

  private func run(_ step: Step) {
    switch step {
    case .primitive(let primitive, _): primitive.run()
    case .loop(let operation, let inputs, let output):
      let result = output.pointer.bindMemory(to: Float.self, capacity: output.count)
      operation.write(inputs, to: UnsafeMutableBufferPointer(start: result, count: output.count))
    case .operation(let operation, let inputs, let outputs):
      var context = ForwardContext(isRecording: false)
      for (place, result) in zip(outputs, operation.forward(inputs, &context)) {
        place.overwrite(with: result)
      }
    }
  }
}

extension Tensor {
  /// A tensor of given memory, as a planned value lies in it.
  fileprivate init(_ spec: TensorSpec, _ descriptor: MemoryDescriptor, in storage: Storage) {
    let layout: Layout =
      if spec.dtype != .float32 || spec.shape.isEmpty {
        .rowMajor
      } else if let strides = descriptor.plainStrides {
        .strides(strides, offset: 0, shape: spec.shape)
      } else {
        .blocked(descriptor)
      }
    self.init(shape: spec.shape, dtype: spec.dtype, storage: storage, layout: layout)
  }

  fileprivate var isRowMajorFloat32: Bool {
    if case .rowMajor = layout { dtype == .float32 } else { false }
  }

  /// Writes row-major values over this tensor's own bytes, which nobody else reads at the time.
  fileprivate func overwrite(with source: Tensor) {
    source.withUnsafeBytes { bytes in
      if bytes.count > 0 { pointer.copyMemory(from: bytes.baseAddress!, byteCount: bytes.count) }
    }
  }
}
