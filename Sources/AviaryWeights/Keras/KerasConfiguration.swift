/// The one thing that is read from a Keras model's configuration: which class each layer has.
///
/// The text is data. Nothing in it is executed, and a text that is not understood says nothing.
enum KerasConfiguration {
  /// Layer names and their classes in snake case, nested models included.
  static func classNames(in text: String?, _ budget: ReadingBudget) -> [String: String] {
    guard let text, let value = try? JSONScanner.scan(Array(text.utf8), budget) else { return [:] }
    var names: [String: String] = [:]
    collect(value, into: &names)
    return names
  }

  /// Names and classes of the outermost model's layers, in its order; empty when the text is not understood.
  static func layers(
    in text: String, _ budget: ReadingBudget
  ) -> [(name: String, className: String)] {
    guard case .object(let model)? = try? JSONScanner.scan(Array(text.utf8), budget),
      case .object(let config)? = model.last(where: { $0.key == "config" })?.value,
      case .array(let layers)? = config.last(where: { $0.key == "layers" })?.value
    else { return [] }
    return layers.compactMap(layer)
  }

  private static func layer(_ value: JSONScanner.Value) -> (name: String, className: String)? {
    guard case .object(let fields) = value,
      case .string(let className)? = fields.last(where: { $0.key == "class_name" })?.value,
      case .object(let config)? = fields.last(where: { $0.key == "config" })?.value,
      case .string(let name)? = config.last(where: { $0.key == "name" })?.value
    else { return nil }
    return (name, snakeCase(className))
  }

  /// A layer is any object with `class_name` and `config.name`; models hold theirs in `config.layers`.
  private static func collect(_ value: JSONScanner.Value, into names: inout [String: String]) {
    switch value {
    case .array(let elements):
      for element in elements { collect(element, into: &names) }
    case .object(let members):
      let fields = Dictionary(members, uniquingKeysWith: { first, _ in first })
      if case .string(let className)? = fields["class_name"], case .object(let config)? = fields["config"],
        case .string(let name)? = config.first(where: { $0.key == "name" })?.value
      {
        names[name] = snakeCase(className)
      }
      for member in members { collect(member.value, into: &names) }
    default: break
    }
  }

  /// Keras' own rule for the names of groups: `BatchNormalization` becomes `batch_normalization`, `Conv2D` `conv2d`.
  static func snakeCase(_ name: String) -> String {
    let letters = Array(name.unicodeScalars)
    var result = ""
    for (index, letter) in letters.enumerated() {
      let isUpper = ("A"..."Z").contains(letter)
      let followsLower = index > 0 && ("a"..."z").contains(letters[index - 1])
      let precedesLower = index + 1 < letters.count && ("a"..."z").contains(letters[index + 1])
      if isUpper, index > 0, followsLower || precedesLower { result += "_" }
      result += letter.properties.lowercaseMapping
    }
    return result
  }
}
