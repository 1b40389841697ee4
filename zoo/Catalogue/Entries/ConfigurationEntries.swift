import AviaryWeights

/// An entry of a configuration file is unknown or asks for something that the network does not have.
public struct ConfigurationError: Error, Equatable, CustomStringConvertible {
  /// The entry's name.
  public let entry: String
  /// Its value, long ones cut short.
  public let given: String
  /// What it may be, in words.
  public let expected: String
  public var description: String { "\(entry) is \(given), expected \(expected)" }
}

/// The entries of a configuration file or of settings, taken out one after another: what is left over in the end was not understood.
struct ConfigurationEntries {
  private var entries: [String: JSONValue]

  /// - Parameter classNames: what the file may be for, when it says so.
  init(from decoder: any Decoder, classNames: [String] = []) throws {
    entries = try [String: JSONValue](from: decoder)
    let known = Dictionary(uniqueKeysWithValues: classNames.map { ($0, $0) })
    _ = try choice("_class_name", known, missing: "")
    // Who wrote the file and where it came from changes nothing.
    entries = entries.filter { !$0.key.hasPrefix("_") }
  }

  /// Entries by name.
  init(_ settings: Settings) { entries = settings }

  /// Throws ``ConfigurationError`` naming an entry that nobody asked for.
  func finish() throws(ConfigurationError) {
    guard let (name, value) = entries.min(by: { $0.key < $1.key }) else { return }
    throw ConfigurationError(entry: name, given: value.shortText, expected: "no such entry")
  }

  private mutating func take<Value>(
    _ name: String, _ expected: String, missing: Value, _ convert: (JSONValue) -> Value?
  ) throws(ConfigurationError) -> Value {
    guard let value = entries.removeValue(forKey: name) else { return missing }
    guard let result = convert(value) else {
      throw ConfigurationError(entry: name, given: value.shortText, expected: expected)
    }
    return result
  }

  /// Values beyond any network's, which could not even be multiplied, are refused with the rest.
  static let largest = 1 << 20

  mutating func integer(
    _ name: String, _ range: ClosedRange<Int> = 1...largest, missing: Int
  ) throws(ConfigurationError) -> Int {
    try take(name, "a whole number from \(range.lowerBound) to \(range.upperBound)", missing: missing) {
      $0.integer(in: range)
    }
  }

  /// An entry that may be null, which is not the same as a missing one.
  mutating func optionalInteger(_ name: String, missing: Int?) throws(ConfigurationError) -> Int? {
    try take(name, "a positive whole number or null", missing: missing) { value -> Int?? in
      value == .null ? .some(nil) : value.integer(in: 1...Self.largest).map { .some($0) }
    }
  }

  /// A number of something that is counted from 0; null and a missing one are none.
  mutating func optionalIndex(_ name: String) throws(ConfigurationError) -> Int? {
    try take(name, "a whole number from 0 to \(Self.largest) or null", missing: nil) { value -> Int?? in
      value == .null ? .some(nil) : value.integer(in: 0...Self.largest).map { .some($0) }
    }
  }

  mutating func number(
    _ name: String, _ range: ClosedRange<Double> = 0...1e9, missing: Double
  ) throws(ConfigurationError) -> Double {
    try take(name, "a number from \(range.lowerBound) to \(range.upperBound)", missing: missing) {
      $0.number(in: range)
    }
  }

  mutating func flag(_ name: String, missing: Bool) throws(ConfigurationError) -> Bool {
    try take(name, "true or false", missing: missing) { if case .bool(let flag) = $0 { flag } else { nil } }
  }

  mutating func text(_ name: String, missing: String) throws(ConfigurationError) -> String {
    try take(name, "a text", missing: missing) { $0.string }
  }

  mutating func integers(_ name: String, missing: [Int]) throws(ConfigurationError) -> [Int] {
    try take(name, "a list of positive whole numbers", missing: missing) {
      $0.list { $0.integer(in: 1...Self.largest) }
    }
  }

  mutating func numbers(
    _ name: String, _ range: ClosedRange<Double> = 0...1e9, missing: [Double]
  ) throws(ConfigurationError) -> [Double] {
    try take(name, "a list of numbers from \(range.lowerBound) to \(range.upperBound)", missing: missing) {
      $0.list { $0.number(in: range) }
    }
  }

  /// A picture's height and width; one number stands for both.
  mutating func extents(_ name: String) throws(ConfigurationError) -> [Int]? {
    try take(name, "a side, height and width, or null", missing: nil) { value -> [Int]?? in
      if value == .null { return .some(nil) }
      if let side = value.integer(in: 1...Self.largest) { return [side, side] }
      guard let extents = value.list({ $0.integer(in: 1...Self.largest) }), extents.count == 2 else {
        return .none
      }
      return extents
    }
  }

  /// One of several words.
  mutating func choice<Value>(
    _ name: String, _ values: [String: Value], missing: Value
  ) throws(ConfigurationError) -> Value {
    try take(name, Self.words(values), missing: missing) { $0.string.flatMap { values[$0] } }
  }

  /// One of several words, the raw values of `type`.
  mutating func choice<Value: RawRepresentable<String> & CaseIterable>(
    _ name: String, _ type: Value.Type, missing: Value
  ) throws(ConfigurationError) -> Value {
    let values = Dictionary(uniqueKeysWithValues: type.allCases.map { ($0.rawValue, $0) })
    return try choice(name, values, missing: missing)
  }

  /// A list of such words.
  mutating func choices<Value>(
    _ name: String, _ values: [String: Value], missing: [Value]
  ) throws(ConfigurationError) -> [Value] {
    try take(name, "a list of \(Self.words(values))", missing: missing) {
      $0.list { $0.string.flatMap { values[$0] } }
    }
  }

  /// Whether an entry is one word, or null, which stands for nothing of the kind; a missing one is that word.
  mutating func isPresent(_ name: String, as word: String) throws(ConfigurationError) -> Bool {
    try take(name, "\(word) or null", missing: true) {
      $0 == .null ? false : $0 == .string(word) ? true : nil
    }
  }

  /// An entry of which one value alone is supported.
  mutating func only(_ name: String, _ value: String?) throws(ConfigurationError) {
    try only(name, value.map(JSONValue.string) ?? .null)
  }

  /// An entry of which one value alone is supported.
  mutating func only(_ name: String, _ value: JSONValue) throws(ConfigurationError) {
    _ = try take(name, "\(value.shortText): nothing else is supported", missing: true) {
      $0 == value ? true : nil
    }
  }

  /// Something that may be off alone.
  mutating func refuse(_ name: String) throws(ConfigurationError) {
    _ = try take(name, "false: it is not supported", missing: false) { $0 == .bool(false) ? false : nil }
  }

  /// An entry that may have any value, since it changes nothing where the others are as required.
  mutating func ignore(_ name: String) { entries[name] = nil }

  private static func words(_ values: [String: some Any]) -> String {
    values.keys.sorted().joined(separator: " or ")
  }
}

extension JSONValue {
  fileprivate func integer(in range: ClosedRange<Int>) -> Int? {
    if case .integer(let value) = self, range.contains(value) { value } else { nil }
  }

  fileprivate func number(in range: ClosedRange<Double>) -> Double? {
    let number: Double? =
      switch self {
      case .integer(let integer): Double(integer)
      case .number(let number): number
      default: nil
      }
    return number.flatMap { range.contains($0) ? $0 : nil }
  }

  fileprivate var string: String? { if case .string(let text) = self { text } else { nil } }

  /// The elements of a list, nil when one of them does not fit.
  fileprivate func list<Value>(_ convert: (JSONValue) -> Value?) -> [Value]? {
    guard case .array(let values) = self, !values.isEmpty else { return nil }
    let converted = values.compactMap(convert)
    return converted.count == values.count ? converted : nil
  }
}
