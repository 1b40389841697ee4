import Foundation

/// A plan whose values have places in memory: a run allocates nothing but its result. Holds one run's values at a time.
final class BoundPlan {
  private enum Step {
    case primitive(BoundPrimitive, name: String)
    case loop(any PlannedLoop, operands: [UnsafeMutablePointer<Float>], name: String)
    case operation(any Operation, inputs: [Tensor], outputs: [Tensor])
    case writing(any WritingOperation, inputs: [Tensor], output: Tensor)
  }

  private let input: Tensor
  private let output: Tensor
  private let steps: [Step]
  /// The primitives that read the input, and which of their operands it is; nil where anything else does. They read it where it is: a
  /// copy would take longest where another core has read the last one (see ``PointwiseLoop``).
  private let inputReaders: [(primitive: BoundPrimitive, operand: Int)]?
  /// Weights in the layouts of their kernels, which the steps point into.
  private let constants: [Tensor]

  /// Bytes of all values of a run.
  let arenaByteCount: Int

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
    inputReaders = Self.readers(of: input, plan, output: output, steps)
    self.input = tensors[input]
    self.output = tensors[output]
  }

  /// The network's result for an input of the planned shape.
  func callAsFunction(_ input: Tensor) -> Tensor {
    withInput(input) {
      for step in steps { run(step) }
      return output.copied()
    }
  }

  /// `body` with the input in the places where steps read it.
  private func withInput<Result>(_ input: Tensor, _ body: () -> Result) -> Result {
    let input = input.cast(to: .float32)
    guard let inputReaders, input.isRowMajorFloat32, Int(bitPattern: input.pointer) % 64 == 0 else {
      self.input.overwrite(with: input)
      return body()
    }
    for reader in inputReaders { reader.primitive.setOperand(reader.operand, to: input.pointer) }
    defer {
      for reader in inputReaders { reader.primitive.setOperand(reader.operand, to: self.input.pointer) }
    }
    return withExtendedLifetime(input) { body() }
  }

  /// Nil where anything but a primitive reads the input, or its bytes have a second name.
  private static func readers(
    of input: Int, _ plan: Plan, output: Int, _ steps: [Step]
  ) -> [(primitive: BoundPrimitive, operand: Int)]? {
    if plan.isSameBlock(output, input) { return nil }
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
  func profile(_ input: Tensor, repetitions: Int) -> [CompiledGraph.Timing] {
    var best = [Double](repeating: .infinity, count: steps.count)
    withInput(input) {
      for _ in 0..<max(repetitions, 1) {
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
