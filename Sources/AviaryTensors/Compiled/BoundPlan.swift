import Foundation

/// A plan whose values have places in memory: a run allocates nothing but its result. Holds one run's values at a time; the constants are
/// the plan's, which others bound to it read too.
final class BoundPlan {
  private enum Step {
    case primitive(BoundPrimitive, name: String)
    case loop(any PlannedLoop, operands: [UnsafeMutablePointer<Float>], name: String)
    case operation(any Operation, inputs: [Tensor], outputs: [Tensor])
    case writing(any WritingOperation, inputs: [Tensor], output: Tensor)
  }

  /// A place that the network's caller fills.
  private struct Input {
    let tensor: Tensor
    /// The primitives that read it, and which of their operands it is; nil where anything else does. They read it where it is: a
    /// copy would take longest where another core has read the last one (see ``PointwiseLoop``).
    let readers: [(primitive: BoundPrimitive, operand: Int)]?
  }

  private let inputs: [Input]
  private let outputs: [Tensor]
  private let steps: [Step]
  /// Weights in the layouts of their kernels, which the steps point into.
  private let constants: [Tensor]

  init(_ plan: Plan) {
    let arena = plan.arena
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
    constants = plan.values.compactMap { if case .constant(let tensor) = $0.location { tensor } else { nil } }
    let steps = plan.steps.map { step -> Step in
      switch step {
      case .primitive(let primitive, let operands, let name):
        let arguments = operands.map { operand in
          Primitive.Argument(
            operand.slot, plan.values[operand.value].descriptor, tensors[operand.value].pointer)
        }
        return .primitive(BoundPrimitive(primitive, arguments), name: name)
      case .loop(let loop, let operands, let name):
        let places = operands.map { tensors[$0].pointer.assumingMemoryBound(to: Float.self) }
        return .loop(loop, operands: places, name: name)
      case .operation(let operation, let inputs, let outputs):
        let (inputs, outputs) = (inputs.map { tensors[$0] }, outputs.map { tensors[$0] })
        if let loop = operation as? any WritingOperation, inputs.allSatisfy(\.isRowMajorFloat32) {
          return .writing(loop, inputs: inputs, output: outputs[0])
        }
        return .operation(operation, inputs: inputs, outputs: outputs)
      }
    }
    inputs = plan.inputs.map { Input(tensor: tensors[$0], readers: Self.readers(of: $0, plan, steps)) }
    outputs = plan.outputs.map { tensors[$0] }
    self.steps = steps
  }

  /// The network's results for inputs of the planned shapes and types.
  func callAsFunction(_ inputs: [Tensor]) -> [Tensor] {
    withInputs(inputs) {
      for step in steps { run(step) }
      return outputs.map { $0.copied() }
    }
  }

  /// `body` with the inputs in the places where steps read them.
  private func withInputs<Result>(_ tensors: [Tensor], _ body: () -> Result) -> Result {
    var moved: [Input] = []
    for (input, tensor) in zip(inputs, tensors) {
      guard let readers = input.readers, tensor.isRowMajorFloat32, Int(bitPattern: tensor.pointer) % 64 == 0
      else {
        input.tensor.overwrite(with: tensor)
        continue
      }
      for reader in readers { reader.primitive.setOperand(reader.operand, to: tensor.pointer) }
      moved.append(input)
    }
    defer {
      for input in moved {
        for reader in input.readers ?? [] {
          reader.primitive.setOperand(reader.operand, to: input.tensor.pointer)
        }
      }
    }
    return withExtendedLifetime(tensors) { body() }
  }

  /// Nil where anything but a primitive reads the input, or its bytes have a second name.
  private static func readers(
    of input: Int, _ plan: Plan, _ steps: [Step]
  ) -> [(primitive: BoundPrimitive, operand: Int)]? {
    if plan.outputs.contains(where: { plan.isSameBlock($0, input) }) { return nil }
    var readers: [(primitive: BoundPrimitive, operand: Int)] = []
    for (planned, step) in zip(plan.steps, steps) {
      let places = planned.values.indices.filter { plan.isSameBlock(planned.values[$0], input) }
      if places.isEmpty { continue }
      guard case .primitive(_, let operands, _) = planned, case .primitive(let primitive, _) = step,
        places.allSatisfy({ operands[$0].value == input && operands[$0].slot != Primitive.Slot.destination })
      else { return nil }
      readers += places.map { (primitive, $0) }
    }
    return readers
  }

  /// Times each step, the fastest of `repetitions` runs.
  func profile(_ inputs: [Tensor], repetitions: Int) -> [CompiledGraph.Timing] {
    var best = [Double](repeating: .infinity, count: steps.count)
    for _ in 0..<max(repetitions, 1) {
      // A run may overwrite them.
      withInputs(inputs) {
        for (index, step) in steps.enumerated() {
          let start = DispatchTime.now().uptimeNanoseconds
          run(step)
          best[index] = min(best[index], Double(DispatchTime.now().uptimeNanoseconds - start) / 1e6)
        }
      }
    }
    return zip(steps, best).map { step, milliseconds in
      let (name, implementation) = description(step)
      return .init(name: name, implementation: implementation, milliseconds: milliseconds)
    }
  }

  private func description(_ step: Step) -> (name: String, implementation: String) {
    switch step {
    case .primitive(let primitive, let name): (name, primitive.implementation)
    case .loop(let loop, _, let name): (name, loop.implementation)
    case .writing(let operation, _, _): (operation.onnxName, "loop")
    case .operation(let operation, _, _): (operation.onnxName, "loop")
    }
  }

  private func run(_ step: Step) {
    switch step {
    case .primitive(let primitive, _): primitive.run()
    case .loop(let loop, let operands, _): loop.run(operands)
    case .writing(let operation, let inputs, let output):
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
