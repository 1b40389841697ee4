import Aviary
import Foundation

/// What `--set name=value` says: settings of a model, and small inputs for it.
struct SetOptions {
  /// Settings of the model, those of `--classes`, `--channels` and `--size` among them.
  private(set) var settings: Settings = [:]
  /// Names and values of what is no setting.
  private(set) var inputs: [(name: String, value: JSONValue)] = []

  /// - Throws: ``UsageError`` for a text without a name or a value.
  ///
  /// - Parameter isAdapting: whether `--classes`, `--channels` and `--size` are settings too.
  init(_ arguments: Arguments, for entry: ZooEntry, isAdapting: Bool = true) throws {
    // The classes that pictures are to be made of are no setting; where pictures are painted, the size is theirs and no network's.
    let sizes =
      !isAdapting || [.generation, .stylization].contains(entry.task) ? [] : ["classes", "channels", "size"]
    for name in sizes where arguments.has(name) {
      settings[name] = .integer(try arguments.integer(name, default: 0, in: Self.range(name)))
    }
    let known = try entry.settings()
    for text in arguments.strings("set") {
      let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
        throw UsageError("--set takes a name and a value, such as timesteps=7,612, not '\(text)'")
      }
      if known[parts[0]] != nil {
        settings[parts[0]] = Self.value(parts[1], like: known[parts[0]]!)
      } else {
        inputs.append((parts[0], Self.value(parts[1])))
      }
    }
  }

  private static func range(_ name: String) -> ClosedRange<Int> {
    name == "channels" ? 1...4096 : name == "size" ? 1...16_384 : 1...1_000_000
  }

  /// JSON where the text is that, else numbers or words with commas between them.
  private static func value(_ text: String, like known: JSONValue? = nil) -> JSONValue {
    if let value = JSONValue(parsing: text) { return value }
    let parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    if parts.count == 1, !(known?.isList ?? false) { return .string(text) }
    return .array(parts.map { JSONValue(parsing: $0) ?? .string($0) })
  }

  /// Throws ``UsageError`` when there are inputs: a command that takes none was asked.
  func requireSettings(_ entry: ZooEntry) throws {
    guard let (name, _) = inputs.first else { return }
    throw UsageError(
      "\(entry.name) has no setting \(name); there are \(try entry.settings().keys.sorted().joined(separator: ", "))"
    )
  }

  /// The inputs as tensors of a signature's types. One number stands for all N of a batch that others decide.
  ///
  /// - Throws: ``UsageError`` for a name that is no input, or values that it cannot have.
  func tensors(for loaded: LoadedNetwork, beside others: NamedTensors) throws -> NamedTensors {
    var result = NamedTensors()
    let signature = loaded.network.signature
    for (name, value) in inputs {
      guard let port = signature.inputs.first(where: { $0.name == name }) else {
        let names = signature.inputs.map(\.name) + loaded.settings.keys.sorted()
        throw UsageError(
          "\(loaded.name) has no input or setting \(name); there are \(names.joined(separator: ", "))")
      }
      guard let numbers = value.numbers, !numbers.isEmpty else {
        throw UsageError("--set \(name) takes numbers with commas between them")
      }
      let shape: Shape
      if port.axes == [.free("N")], numbers.count == 1, let batch = signature.batch(of: others) {
        shape = [batch]
      } else {
        shape = port.axes.isEmpty ? [] : Shape(repeating: 1, count: port.axes.count - 1) + [numbers.count]
      }
      guard shape.elementCount == numbers.count || numbers.count == 1 else {
        throw UsageError("--set \(name) takes one number, not \(numbers.count)")
      }
      let values =
        numbers.count == shape.elementCount
        ? numbers : Array(repeating: numbers[0], count: shape.elementCount)
      result[name] = try port.tensor(values, shape)
    }
    return result
  }
}

extension Signature {
  /// The batch that tensors have, as the first of the inputs with an axis N shows it.
  fileprivate func batch(of tensors: NamedTensors) -> Int? {
    for port in inputs {
      if let axis = port.axes.firstIndex(of: .free("N")), let tensor = tensors[ifPresent: port.name],
        axis < tensor.rank
      {
        return tensor.shape[axis]
      }
    }
    return nil
  }
}

extension TensorPort {
  /// A tensor of this input's type. Throws ``UsageError`` for fractions where it takes whole numbers.
  fileprivate func tensor(_ values: [Double], _ shape: Shape) throws -> Tensor {
    if dtype.isFloatingPoint { return Tensor(values.map { Float($0) }, shape: shape) }
    let integers = values.compactMap { Int64(exactly: $0) }
    guard integers.count == values.count else { throw UsageError("--set \(name) takes whole numbers") }
    return Tensor(integers, shape: shape).cast(to: dtype)
  }
}

extension JSONValue {
  /// The value of a text, if it is JSON.
  fileprivate init?(parsing text: String) {
    guard let value = try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8)) else { return nil }
    self = value
  }

  fileprivate var isList: Bool { if case .array = self { true } else { false } }

  /// A number, or those of a list of nothing else.
  fileprivate var numbers: [Double]? {
    switch self {
    case .integer(let value): return [Double(value)]
    case .number(let value): return [value]
    case .array(let values):
      let numbers = values.compactMap(\.numbers).flatMap(\.self)
      return numbers.count == values.count ? numbers : nil
    default: return nil
    }
  }
}
