/// What a compiled network does, step by step, before its values have places: primitives with operands by number.
struct Plan {
  /// Where a value lies: in the arena, or in memory of its own when it never changes.
  enum Location {
    case arena(block: Int)
    case constant(Tensor)
  }

  /// A value in the layout that its producer chose.
  struct Value {
    let spec: TensorSpec
    let descriptor: MemoryDescriptor
    let location: Location
    /// Where the first element lies in the location, in bytes: not 0 for parts of other values.
    var offset = 0
  }

  enum Step {
    case primitive(Primitive, [(slot: Int32, value: Int)], name: String)
    case loop(any PlannedLoop, operands: [Int], name: String)
    /// An operation without a plan of its own: runs as it always does, on tensors that lie in the arena.
    case operation(any Operation, inputs: [Int], outputs: [Int])

    /// All that it reads and writes.
    var values: [Int] {
      switch self {
      case .primitive(_, let operands, _): operands.map(\.value)
      case .loop(_, let operands, _): operands
      case .operation(_, let inputs, let outputs): inputs + outputs
      }
    }
  }

  var values: [Value] = []
  var steps: [Step] = []
  var arena = Arena()
  /// The values that a caller fills, and those that it is given.
  var (inputs, outputs): ([Int], [Int]) = ([], [])

  /// A value to be written by the next step.
  mutating func addValue(_ spec: TensorSpec, _ descriptor: MemoryDescriptor) -> Int {
    let block = arena.add(byteCount: max(descriptor.byteCount, 1), firstStep: steps.count)
    values.append(Value(spec: spec, descriptor: descriptor, location: .arena(block: block)))
    return values.count - 1
  }

  /// A value in the bytes of another one, from `offset` bytes behind its first element.
  mutating func addAlias(
    of value: Int, _ spec: TensorSpec, _ descriptor: MemoryDescriptor, offset: Int = 0
  ) -> Int {
    values.append(
      Value(
        spec: spec, descriptor: descriptor, location: values[value].location,
        offset: values[value].offset + offset))
    return values.count - 1
  }

  /// Whether two values begin at the same byte.
  func isSamePlace(_ a: Int, _ b: Int) -> Bool {
    isSameBlock(a, b) && values[a].offset == values[b].offset
  }

  /// Whether two values are the same bytes of the arena, or parts of them.
  func isSameBlock(_ a: Int, _ b: Int) -> Bool {
    guard case .arena(let first) = values[a].location, case .arena(let second) = values[b].location else {
      return false
    }
    return first == second
  }

  /// False for weights, which no step may write to.
  func isInArena(_ value: Int) -> Bool {
    if case .arena = values[value].location { true } else { false }
  }

  mutating func addConstant(_ tensor: Tensor) -> Int {
    values.append(
      Value(
        spec: tensor.spec,
        descriptor: tensor.dtype == .float32 ? tensor.descriptor : .rowMajor(of: tensor.spec),
        location: .constant(tensor)))
    return values.count - 1
  }

  /// Appends a primitive; its scratch memory lives for this step only.
  mutating func append(_ primitive: Primitive, _ operands: [(slot: Int32, value: Int)], name: String) {
    var operands = operands
    if primitive.scratchpad.raw.ndims > 0 {
      let scratch = addValue(TensorSpec([primitive.scratchpad.byteCount], .uint8), primitive.scratchpad)
      operands.append((Primitive.Slot.scratch, scratch))
    }
    for operand in operands { use(operand.value) }
    steps.append(.primitive(primitive, operands, name: name))
  }

  /// Appends a loop on values in the order in which it wants them.
  mutating func append(_ loop: any PlannedLoop, _ operands: [Int], name: String) {
    for value in operands { use(value) }
    steps.append(.loop(loop, operands: operands, name: name))
  }

  mutating func append(_ operation: any Operation, inputs: [Int], outputs: [Int]) {
    for value in inputs + outputs { use(value) }
    steps.append(.operation(operation, inputs: inputs, outputs: outputs))
  }

  private mutating func use(_ value: Int) {
    if case .arena(let block) = values[value].location { arena.extend(block, to: steps.count) }
  }

  /// The value must survive to the end of the run.
  mutating func keep(_ value: Int) {
    if case .arena(let block) = values[value].location { arena.extend(block, to: steps.count) }
  }
}
