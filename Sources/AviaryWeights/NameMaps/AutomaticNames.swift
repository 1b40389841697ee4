/// Layer names that Keras counts up through a session, made independent of where the count began.
///
/// The same model is `conv2d`, `conv2d_1` in one file and `conv2d_95`, `conv2d_96` in another; here it is `conv2d_0`, `conv2d_1`.
struct AutomaticNames {
  private let first: [String: Int]

  /// - Parameters:
  ///   - bases: the names that are counted: `conv2d`.
  ///   - names: all canonical names of a file, `conv2d_17/kernel`, whose smallest number becomes 0.
  init(_ bases: [String], in names: [String]) {
    var first: [String: Int] = [:]
    for name in names {
      guard let (base, number) = Self.split(Self.layer(of: name), bases) else { continue }
      first[base] = min(first[base] ?? .max, number)
    }
    self.first = first
  }

  func normalized(_ name: String) -> String {
    let layer = Self.layer(of: name)
    guard let (base, number) = Self.split(layer, Array(first.keys)), let start = first[base] else {
      return name
    }
    return "\(base)_\(number - start)" + name.dropFirst(layer.count)
  }

  /// As Keras spells it in a new session: the first has no number.
  static func spelled(_ name: String, _ bases: [String]) -> String {
    let layer = layer(of: name)
    guard let (base, number) = split(layer, bases), number == 0 else { return name }
    return base + name.dropFirst(layer.count)
  }

  private static func layer(of name: String) -> Substring { name.prefix { $0 != "/" } }

  private static func split(_ layer: Substring, _ bases: [String]) -> (base: String, number: Int)? {
    for base in bases where layer.hasPrefix(base) {
      let rest = layer.dropFirst(base.count)
      if rest.isEmpty { return (base, 0) }
      if rest.first == "_", let number = Int(rest.dropFirst()), number >= 0 { return (base, number) }
    }
    return nil
  }
}

/// The order of another framework's layers, for files that are loaded by position.
struct LayerOrder {
  private let groups: [[NamePattern]]

  init(_ entries: [NameMapDocument.OrderEntry]) throws {
    groups = try entries.map { try $0.layers.map(NamePattern.init) }
  }

  /// Sorts tensors called `layer/weight`; layers that the order does not name come last, in their own order.
  func sorted<Value>(_ entries: [(name: String, tensor: Value)]) -> [(name: String, tensor: Value)] {
    entries.enumerated()
      .map { (key: key(of: $0.element.name) + [$0.offset], entry: $0.element) }
      .sorted { $0.key.lexicographicallyPrecedes($1.key) }
      .map(\.entry)
  }

  /// The group, the numbers in the name, the place in the group.
  private func key(of name: String) -> [Int] {
    let layer = name.lastIndex(of: "/").map { String(name[..<$0]) } ?? name
    for (group, patterns) in groups.enumerated() {
      for (position, pattern) in patterns.enumerated() {
        if let numbers = pattern.match(layer) { return [group] + pattern.values(numbers) + [position] }
      }
    }
    return [groups.count]
  }
}
