/// What a pickle describes: data only. Nothing a pickle says to call is ever called.
enum PickleValue {
  case none
  case bool(Bool)
  case int(Int)
  /// An integer of more than 64 bits.
  case largeInteger
  case float(Double)
  case string(String)
  /// Where the bytes are in the pickle.
  case bytes(Range<Int>)
  case list([PickleReference])
  case tuple([PickleReference])
  /// In the order of insertion; a key that was set twice occurs twice, and the last one counts.
  case dictionary([PickleEntry])
  case set([PickleReference])
  /// A class or function by its name: `torch._utils` and `_rebuild_tensor_v2`.
  case global(module: String, name: String)
  /// What a class or function would have made of its arguments.
  case record(PickleRecord)
  /// Something the file keeps outside the pickle, such as a storage.
  case persistent(PickleReference)
}

/// The place of a value in its graph. Values refer to each other only so: neither deep nesting nor a circle can harm whoever
/// copies or releases them.
struct PickleReference: Hashable {
  fileprivate let index: Int32
}

struct PickleEntry {
  let key: PickleReference
  let value: PickleReference
}

/// An object that was never made: its class or function, the arguments, and what would have been done to it.
struct PickleRecord {
  let callee: PickleReference
  let arguments: PickleReference
  /// Given to the object's `__setstate__`, or else its attributes.
  var state: PickleReference?
  /// A list of the elements appended to it.
  var elements: PickleReference?
  /// A dictionary of the entries set in it, as in an `OrderedDict`.
  var entries: PickleReference?
}

/// All values of a pickle.
struct PickleGraph {
  private var values: [PickleValue] = [.none, .bool(false), .bool(true), .tuple([])]
  private let budget: ReadingBudget

  init(_ budget: ReadingBudget) { self.budget = budget }

  static let none = PickleReference(index: 0)
  static let `false` = PickleReference(index: 1)
  static let `true` = PickleReference(index: 2)
  static let emptyTuple = PickleReference(index: 3)

  /// What identifies the things that are kept outside the pickle.
  var persistentIdentities: [PickleReference] {
    values.compactMap { if case .persistent(let identity) = $0 { identity } else { nil } }
  }

  subscript(reference: PickleReference) -> PickleValue { values[Int(reference.index)] }

  mutating func append(_ value: PickleValue) throws -> PickleReference {
    // With the array that most values are or get.
    try budget.keep(bytes: 96)
    guard let index = Int32(exactly: values.count) else {
      throw WeightsError(.refused, "the pickle describes more than \(Int32.max) values")
    }
    values.append(value)
    return PickleReference(index: index)
  }

  /// Changes a value in place. The value is moved out meanwhile, so that growing lists are not copied.
  mutating func update(_ reference: PickleReference, _ body: (inout PickleValue) throws -> Void) rethrows {
    var value = PickleValue.none
    swap(&value, &values[Int(reference.index)])
    defer { values[Int(reference.index)] = value }
    try body(&value)
  }
}

// MARK: Reading values

extension PickleGraph {
  func string(_ reference: PickleReference) -> String? {
    if case .string(let text) = self[reference] { text } else { nil }
  }

  func int(_ reference: PickleReference) -> Int? {
    if case .int(let value) = self[reference] { value } else { nil }
  }

  func tuple(_ reference: PickleReference) -> [PickleReference]? {
    if case .tuple(let elements) = self[reference] { elements } else { nil }
  }

  /// The full name of a class or function: `torch._utils._rebuild_tensor_v2`.
  func globalName(_ reference: PickleReference) -> String? {
    switch self[reference] {
    case .global(let module, let name): return "\(module).\(name)"
    case .persistent(let identity):
      // Checkpoints from before 1.6 keep a class outside the pickle, with its source text.
      guard let fields = tuple(identity), fields.count > 1, string(fields[0]) == "module",
        case .global(let module, let name) = self[fields[1]]
      else { return nil }
      return "\(module).\(name)"
    default: return nil
    }
  }

  /// The entries of a dictionary or of something derived from one, such as an `OrderedDict`.
  func entries(_ reference: PickleReference) -> [PickleEntry]? {
    switch self[reference] {
    case .dictionary(let entries): return entries
    case .record(let record):
      let isDictionary = globalName(record.callee).map { Self.dictionaryClasses.contains($0) } ?? false
      guard isDictionary || record.entries != nil else { return nil }
      // Python 2 hands the entries over as a list of pairs.
      let pairs = (tuple(record.arguments) ?? []).first.map(elements) ?? []
      let given = (pairs ?? []).compactMap { pair -> PickleEntry? in
        guard let pair = elements(pair), pair.count == 2 else { return nil }
        return PickleEntry(key: pair[0], value: pair[1])
      }
      return given + (record.entries.flatMap(entries) ?? [])
    default: return nil
    }
  }

  private static let dictionaryClasses: Set = [
    "collections.OrderedDict", "collections.defaultdict", "builtins.dict", "__builtin__.dict",
  ]

  /// How many parts have to be looked at to know what a value holds.
  func width(_ reference: PickleReference, depth: Int = 0) -> Int {
    switch self[reference] {
    case .list(let elements), .tuple(let elements), .set(let elements): return elements.count
    case .dictionary(let entries): return entries.count
    case .record(let record):
      guard depth < 4 else { return 1 }
      let parts = [record.state, record.elements, record.entries, tuple(record.arguments)?.first]
      return parts.compactMap { $0 }.reduce(1) { $0 + width($1, depth: depth + 1) }
    default: return 1
    }
  }

  /// The elements of a list, a tuple, or something derived from a list.
  func elements(_ reference: PickleReference) -> [PickleReference]? {
    switch self[reference] {
    case .list(let elements), .tuple(let elements): elements
    case .record(let record): record.elements.flatMap(elements)
    default: nil
    }
  }
}
