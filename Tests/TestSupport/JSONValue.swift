/// A value of a JSON document, as the attributes of a fixture hold them.
public enum JSONValue: Decodable, Sendable {
  case flag(Bool)
  case number(Double)
  case text(String)
  case list([JSONValue])

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let value = try? container.decode(Bool.self) {
      self = .flag(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .text(value)
    } else {
      self = .list(try container.decode([JSONValue].self))
    }
  }

  public var flag: Bool? { if case .flag(let value) = self { value } else { nil } }
  public var float: Float? { if case .number(let value) = self { Float(value) } else { nil } }
  public var integer: Int? { if case .number(let value) = self { Int(value) } else { nil } }
  public var text: String? { if case .text(let value) = self { value } else { nil } }
  public var list: [JSONValue]? { if case .list(let values) = self { values } else { nil } }
  public var integers: [Int]? { list?.compactMap(\.integer) }
}
