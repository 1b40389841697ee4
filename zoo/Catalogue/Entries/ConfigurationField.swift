import AviaryWeights

/// An entry of a configuration: its name in files, the property that it sets, and the values that make sense. One line both reads and writes it.
///
///     private static var fields: [ConfigurationField<Self>] { [.side("min_size", \.shortSide), .share("nms_thresh", \.overlap)] }
struct ConfigurationField<Configuration> {
  fileprivate let read: (inout ConfigurationEntries, inout Configuration) throws -> Void
  fileprivate let write: (Configuration, inout KeyedEncodingContainer<ConfigurationName>) throws -> Void

  private init(
    read: @escaping (inout ConfigurationEntries, inout Configuration) throws -> Void,
    write: @escaping (Configuration, inout KeyedEncodingContainer<ConfigurationName>) throws -> Void
  ) {
    (self.read, self.write) = (read, write)
  }

  /// - Parameter written: what files say of the property's value.
  private init<Value>(
    _ name: String, _ property: WritableKeyPath<Configuration, Value>,
    _ written: KeyPath<Value, some Encodable>,
    take: @escaping (_ entries: inout ConfigurationEntries, _ missing: Value) throws -> Value
  ) {
    read = { entries, configuration in
      configuration[keyPath: property] = try take(&entries, configuration[keyPath: property])
    }
    write = { configuration, container in
      let value = configuration[keyPath: property][keyPath: written]
      try container.encode(value, forKey: ConfigurationName(stringValue: name))
    }
  }

  /// An entry of which one value alone is supported.
  static func only(_ name: String, _ value: JSONValue) -> Self {
    Self(
      read: { entries, _ in try entries.only(name, value) },
      write: { try $1.encode(value, forKey: ConfigurationName(stringValue: name)) })
  }

  /// A size that no network's goes beyond.
  static func integer(_ name: String, _ property: WritableKeyPath<Configuration, Int>) -> Self {
    integer(name, 1...ConfigurationEntries.largest, property)
  }

  static func integer(
    _ name: String, _ range: ClosedRange<Int>, _ property: WritableKeyPath<Configuration, Int>
  ) -> Self {
    Self(name, property, \.self) { try $0.integer(name, range, missing: $1) }
  }

  /// Numbers that a label may have.
  static func labels(
    _ property: WritableKeyPath<Configuration, Int>, least: Int = 1
  ) -> Self {
    integer(labelsName, least...65_536, property)
  }

  /// The name of ``labels(_:least:)``.
  static var labelsName: String { "num_classes" }

  /// Pixels of a side of a picture.
  static func side(_ name: String, _ property: WritableKeyPath<Configuration, Int>) -> Self {
    integer(name, 32...8192, property)
  }

  /// How many boxes.
  static func count(_ name: String, _ property: WritableKeyPath<Configuration, Int>) -> Self {
    integer(name, 1...10_000, property)
  }

  /// A score, an overlap or another number from 0 to 1.
  static func share(_ name: String, _ property: WritableKeyPath<Configuration, Double>) -> Self {
    Self(name, property, \.self) { try $0.number(name, 0...1, missing: $1) }
  }

  static func number(
    _ name: String, _ range: ClosedRange<Double>, _ property: WritableKeyPath<Configuration, Float>
  ) -> Self {
    Self(name, property, \.self) { Float(try $0.number(name, range, missing: Double($1))) }
  }

  /// ε of frozen batch normalization, which no tensor shows.
  static func epsilon(_ property: WritableKeyPath<Configuration, Float>) -> Self {
    number(epsilonName, 0...1, property)
  }

  /// The name of ``epsilon(_:)``.
  static var epsilonName: String { "bn_eps" }

  static func flag(_ name: String, _ property: WritableKeyPath<Configuration, Bool>) -> Self {
    Self(name, property, \.self) { try $0.flag(name, missing: $1) }
  }

  /// One of several words.
  static func choice<Value: RawRepresentable<String> & CaseIterable>(
    _ name: String, _ property: WritableKeyPath<Configuration, Value>
  ) -> Self {
    Self(name, property, \.rawValue) { try $0.choice(name, Value.self, missing: $1) }
  }
}

/// The name of an entry, whatever it is.
struct ConfigurationName: CodingKey {
  let stringValue: String
  var intValue: Int? { nil }
  init(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }
}

extension Array {
  /// What a file says, with the values of `missing` for the rest.
  ///
  /// Throws ``ConfigurationError`` for values that make no sense, and for entries that are none of these fields.
  func decoded<Configuration>(
    from decoder: any Decoder, missing: Configuration
  ) throws -> Configuration where Element == ConfigurationField<Configuration> {
    var entries = try ConfigurationEntries(from: decoder)
    var result = missing
    for field in self { try field.read(&entries, &result) }
    try entries.finish()
    return result
  }

  func encode<Configuration>(
    _ configuration: Configuration, to encoder: any Encoder
  ) throws where Element == ConfigurationField<Configuration> {
    var container = encoder.container(keyedBy: ConfigurationName.self)
    for field in self { try field.write(configuration, &container) }
  }
}
