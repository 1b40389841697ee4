/// Reads pickles of the protocols 0 to 5 into a graph of inert values.
///
/// A pickle is a program for a machine with a stack and a memo. Here the instructions that would import or call something only write
/// down what was to be imported or called. Time and memory are linear in the pickle's length, and count against its file's budget. The
/// instructions are those of Python's `pickletools`.
struct PickleMachine {
  var reader: ByteReader
  /// Where the next instruction begins.
  var position: Int { reader.position }
  private(set) var graph: PickleGraph
  let budget: ReadingBudget
  private var stack: [PickleReference] = []
  private var marks: [Int] = []
  private var memo: [Int: PickleReference] = [:]

  /// - Parameter bytes: what holds the pickle.
  init(_ bytes: UnsafeRawBufferPointer, at position: Int = 0, _ budget: ReadingBudget) {
    reader = ByteReader(bytes)
    reader.position = position
    graph = PickleGraph(budget)
    self.budget = budget
  }

  /// Runs one pickle and returns its value; the next pickle, if there is one, begins at ``position``.
  ///
  /// Throws ``WeightsError`` that names the instruction and its offset.
  mutating func run() throws -> PickleReference {
    stack = []
    marks = []
    memo = [:]
    while true {
      let offset = position
      do {
        let code = try reader.uint8()
        guard code != UInt8(ascii: ".") else {
          guard stack.count == 1, marks.isEmpty else { throw Self.failure("it leaves \(stack.count) values") }
          return stack[0]
        }
        // Some instructions put a value on the stack again, or a mark beside it: places, whose memory grows by doubling.
        try budget.spend(steps: 1)
        try budget.keep(bytes: 8)
        try step(code)
      } catch let error as WeightsError {
        throw error.inPart("the pickle at byte \(offset)")
      }
    }
  }

  static func failure(_ reason: String) -> WeightsError { WeightsError(.malformed, reason) }

  private mutating func step(_ code: UInt8) throws {
    switch code {
    case 0x80: try checkProtocol()
    case 0x95: try reader.skip(8)  // FRAME: a hint for readers of streams
    case UInt8(ascii: "("):
      try budget.keep(bytes: 16)
      marks.append(stack.count)
    case UInt8(ascii: "0"): try dropTop()
    case UInt8(ascii: "1"): _ = try popToMark()
    case UInt8(ascii: "2"): stack.append(try top())
    case UInt8(ascii: "N"): stack.append(PickleGraph.none)
    case 0x88: stack.append(PickleGraph.true)
    case 0x89: stack.append(PickleGraph.false)
    case UInt8(ascii: "p"), UInt8(ascii: "q"), UInt8(ascii: "r"), 0x94: try memorize(code)
    case UInt8(ascii: "g"), UInt8(ascii: "h"), UInt8(ascii: "j"): try recall(code)
    default:
      if try pushNumber(code) || pushText(code) || pushContainer(code) || fillContainer(code)
        || pushObject(code)
      {
        return
      }
      throw WeightsError(.unsupported, "the instruction \(Self.describe(code)) is not known")
    }
  }

  private static func describe(_ code: UInt8) -> String {
    let visible = (0x21...0x7E).contains(code) ? " (\(Character(Unicode.Scalar(code))))" : ""
    return "0x" + String(code, radix: 16) + visible
  }

  private mutating func checkProtocol() throws {
    let version = try reader.uint8()
    guard version <= 5 else { throw WeightsError(.unsupported, "pickle protocol \(version) is not known") }
  }
}

// MARK: Stack and memo

extension PickleMachine {
  private func top() throws -> PickleReference {
    guard let top = stack.last, stack.count > marks.last ?? 0 else {
      throw Self.failure("its stack is empty")
    }
    return top
  }

  private mutating func pop() throws -> PickleReference {
    let value = try top()
    stack.removeLast()
    return value
  }

  /// A mark is an element like any other for the instruction that drops one.
  private mutating func dropTop() throws {
    if marks.last == stack.count { marks.removeLast() } else { _ = try pop() }
  }

  private mutating func popToMark() throws -> [PickleReference] {
    guard let mark = marks.popLast() else { throw Self.failure("its stack has no mark") }
    let values = Array(stack[mark...])
    stack.removeSubrange(mark...)
    return values
  }

  private mutating func pop(_ count: Int) throws -> [PickleReference] {
    guard stack.count - (marks.last ?? 0) >= count else { throw Self.failure("its stack is empty") }
    defer { stack.removeLast(count) }
    return Array(stack.suffix(count))
  }

  mutating func push(_ value: PickleValue) throws { stack.append(try graph.append(value)) }

  /// For the values there is only one of.
  mutating func push(_ reference: PickleReference) { stack.append(reference) }

  private mutating func memorize(_ code: UInt8) throws {
    let value = try top()
    switch code {
    case UInt8(ascii: "p"): memo[try decimal()] = value
    case UInt8(ascii: "q"): memo[Int(try reader.uint8())] = value
    case UInt8(ascii: "r"): memo[Int(try reader.uint32())] = value
    default: memo[memo.count] = value
    }
    try budget.keep(bytes: 40)
  }

  private mutating func recall(_ code: UInt8) throws {
    let place =
      switch code {
      case UInt8(ascii: "g"): try decimal()
      case UInt8(ascii: "h"): Int(try reader.uint8())
      default: Int(try reader.uint32())
      }
    guard let value = memo[place] else { throw Self.failure("its memo has no value \(place)") }
    stack.append(value)
  }
}

// MARK: Containers

extension PickleMachine {
  private mutating func pushContainer(_ code: UInt8) throws -> Bool {
    switch code {
    case UInt8(ascii: ")"): stack.append(PickleGraph.emptyTuple)
    case UInt8(ascii: "]"): try push(.list([]))
    case UInt8(ascii: "}"): try push(.dictionary([]))
    case 0x8F: try push(.set([]))
    case UInt8(ascii: "t"): try push(.tuple(try popToMark()))
    case 0x85...0x87: try push(.tuple(try pop(Int(code) - 0x84)))
    case UInt8(ascii: "l"): try push(.list(try popToMark()))
    case UInt8(ascii: "d"): try push(.dictionary(try Self.entries(try popToMark())))
    case 0x91: try push(.set(try popToMark()))
    default: return false
    }
    return true
  }

  private static func entries(_ values: [PickleReference]) throws -> [PickleEntry] {
    guard values.count % 2 == 0 else { throw failure("a key has no value") }
    return stride(from: 0, to: values.count, by: 2).map {
      PickleEntry(key: values[$0], value: values[$0 + 1])
    }
  }

  private mutating func fillContainer(_ code: UInt8) throws -> Bool {
    switch code {
    case UInt8(ascii: "a"): try append([try pop()])
    case UInt8(ascii: "e"), 0x90: try append(try popToMark())
    case UInt8(ascii: "s"): try set(try Self.entries(try pop(2)))
    case UInt8(ascii: "u"): try set(try Self.entries(try popToMark()))
    default: return false
    }
    return true
  }

  /// What is filled in place of a container: the part of a record that collects such values, else the container itself.
  private mutating func part(
    _ part: WritableKeyPath<PickleRecord, PickleReference?>, of container: PickleReference,
    empty: PickleValue
  ) throws -> PickleReference {
    guard case .record(var record) = graph[container] else { return container }
    if let existing = record[keyPath: part] { return existing }
    let new = try graph.append(empty)
    record[keyPath: part] = new
    graph.update(container) { $0 = .record(record) }
    return new
  }

  private mutating func append(_ values: [PickleReference]) throws {
    let container = try part(\.elements, of: try top(), empty: .list([]))
    try graph.update(container) { target in
      switch target {
      case .list(var elements):
        target = .none
        elements += values
        target = .list(elements)
      case .set(var elements):
        target = .none
        elements += values
        target = .set(elements)
      default: throw Self.failure("elements are added to something that is no list")
      }
    }
  }

  private mutating func set(_ new: [PickleEntry]) throws {
    let container = try part(\.entries, of: try top(), empty: .dictionary([]))
    try graph.update(container) { target in
      switch target {
      case .dictionary(var entries):
        target = .none
        entries += new
        target = .dictionary(entries)
      default: throw Self.failure("entries are set in something that is no dictionary")
      }
    }
  }
}

// MARK: Objects

extension PickleMachine {
  private mutating func pushObject(_ code: UInt8) throws -> Bool {
    switch code {
    case UInt8(ascii: "c"): try push(.global(module: try line(), name: try line()))
    case 0x93:
      let names = try pop(2)
      guard let module = graph.string(names[0]), let name = graph.string(names[1]) else {
        throw Self.failure("a class has no name")
      }
      try push(.global(module: module, name: name))
    case UInt8(ascii: "R"), 0x81:
      let parts = try pop(2)
      try push(.record(PickleRecord(callee: parts[0], arguments: parts[1])))
    case 0x92:
      // The arguments with keywords are of no use without the class.
      let parts = try pop(3)
      try push(.record(PickleRecord(callee: parts[0], arguments: parts[1])))
    case UInt8(ascii: "i"):
      let callee = try graph.append(.global(module: try line(), name: try line()))
      let arguments = try graph.append(.tuple(try popToMark()))
      try push(.record(PickleRecord(callee: callee, arguments: arguments)))
    case UInt8(ascii: "o"):
      let parts = try popToMark()
      guard let callee = parts.first else { throw Self.failure("an object has no class") }
      let arguments = try graph.append(.tuple(Array(parts.dropFirst())))
      try push(.record(PickleRecord(callee: callee, arguments: arguments)))
    case UInt8(ascii: "b"):
      let state = try pop()
      try graph.update(try top()) { target in
        guard case .record(var record) = target else {
          throw Self.failure("a state is given to something that is no object")
        }
        record.state = state
        target = .record(record)
      }
    case UInt8(ascii: "Q"): try push(.persistent(try pop()))
    case UInt8(ascii: "P"): try push(.persistent(try graph.append(.string(try line()))))
    default: return false
    }
    return true
  }
}
