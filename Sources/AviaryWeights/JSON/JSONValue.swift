import Foundation

/// A JSON value: what configurations and other open-ended metadata hold.
public enum JSONValue: Sendable, Hashable {
  /// A `null`; an absent member is none.
  case null
  /// `true` or `false`; 0 and 1 are integers.
  case bool(Bool)
  /// A whole number that 64 bits hold, `2.0` as well.
  case integer(Int)
  /// Any other number, rounded to a double.
  case number(Double)
  /// A string with its escapes resolved.
  case string(String)
  /// An array, whose elements may be of different kinds.
  case array([JSONValue])
  /// An object; the order of its members is not kept.
  case object([String: JSONValue])
}

extension JSONValue: Codable {
  public init(from decoder: Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Int.self) {
      self = .integer(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let value = try? container.decode([JSONValue].self) {
      self = .array(value)
    } else {
      self = .object(try container.decode([String: JSONValue].self))
    }
  }

  public func encode(to encoder: Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .null: try container.encodeNil()
    case .bool(let value): try container.encode(value)
    case .integer(let value): try container.encode(value)
    case .number(let value): try container.encode(value)
    case .string(let value): try container.encode(value)
    case .array(let value): try container.encode(value)
    case .object(let value): try container.encode(value)
    }
  }
}

extension JSONValue {
  /// Decodes `type` from JSON text after the strict scan of ``JSONScanner``; `what` names the text in errors.
  static func decode<Value: Decodable>(_ type: Value.Type, from text: [UInt8], what: String) throws -> Value {
    do {
      _ = try JSONScanner.scan(text)
      return try JSONDecoder().decode(type, from: Data(text))
    } catch let error as WeightsError {
      throw error.inPart(what)
    } catch let error as DecodingError {
      throw WeightsError(.malformed, "\(what): \(error.sentence)")
    }
  }

  /// Compact JSON text with sorted keys: the same value gives the same bytes.
  static func text(of value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return String(decoding: try encoder.encode(value), as: UTF8.self)
    } catch EncodingError.invalidValue(let value, let context) {
      let place = context.codingPath.map(\.stringValue).joined(separator: ".").quoted
      throw WeightsError(.nonFinite, "the metadata cannot be written as JSON: \(place) is \(value)")
    }
  }
}

extension DecodingError {
  /// Where and what, without the Swift types involved.
  fileprivate var sentence: String {
    switch self {
    case .keyNotFound(let key, let context): "\(place(context.codingPath)) lacks \(key.stringValue.quoted)"
    case .typeMismatch(let type, let context): "\(place(context.codingPath)) is not \(noun(type))"
    case .valueNotFound(_, let context): "\(place(context.codingPath)) is null"
    case .dataCorrupted(let context): "\(place(context.codingPath)) has a value that is not allowed there"
    @unknown default: "it does not have the expected form"
    }
  }

  /// What JSON calls that which becomes a type.
  private func noun(_ type: any Any.Type) -> String {
    switch type {
    case is String.Type: "a string"
    case is Bool.Type: "true or false"
    case is any BinaryInteger.Type: "a whole number"
    case is any BinaryFloatingPoint.Type: "a number"
    default: String(describing: type).hasPrefix("Array") ? "an array" : "an object"
    }
  }

  private func place(_ path: [any CodingKey]) -> String {
    path.isEmpty ? "the document" : path.map(\.stringValue).joined(separator: ".").quoted
  }
}

extension JSONValue {
  /// The value that encoding something gives. Throws `WeightsError` for what JSON cannot say.
  package init(encoding value: some Encodable) throws {
    self = try Self.decode(JSONValue.self, from: Array(try Self.text(of: value).utf8), what: "the value")
  }

  /// What decoding this value gives; throws what the type's decoding throws.
  package func decoded<Value: Decodable>(as type: Value.Type) throws -> Value {
    try JSONDecoder().decode(type, from: Data(try Self.text(of: self).utf8))
  }

  /// The value of JSON text; throws `WeightsError` where it is none.
  package init(text: String) throws {
    self = try Self.decode(JSONValue.self, from: Array(text.utf8), what: "the value")
  }

  /// As in a file, long lists and objects cut short.
  package var shortText: String {
    switch self {
    case .null: "null"
    case .bool(let flag): "\(flag)"
    case .integer(let value): "\(value)"
    case .number(let value): "\(value)"
    case .string(let text): "\"\(text.prefix(80).split(whereSeparator: \.isNewline).joined(separator: " "))\""
    case .array(let values):
      "[\(values.prefix(8).map(\.shortText).joined(separator: ", "))\(values.count > 8 ? ", …" : "")]"
    case .object(let members): "an object of \(members.count) entries"
    }
  }
}
