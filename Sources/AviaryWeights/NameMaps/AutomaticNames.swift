/// Layer names that Keras counts up in one program, made independent of where the count began.
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
      guard let (base, number) = Self.split(KerasNaming.layer(of: name), bases) else { continue }
      first[base] = min(first[base] ?? .max, number)
    }
    self.first = first
  }

  func normalized(_ name: String) -> String {
    let layer = KerasNaming.layer(of: name)
    guard let (base, number) = Self.split(layer, Array(first.keys)), let start = first[base] else {
      return name
    }
    return "\(base)_\(number - start)" + name.dropFirst(layer.count)
  }

  /// As Keras spells it in a new program: the first has no number.
  static func spelled(_ name: String, _ bases: [String]) -> String {
    let layer = KerasNaming.layer(of: name)
    guard let (base, number) = split(layer, bases), number == 0 else { return name }
    return base + name.dropFirst(layer.count)
  }

  /// The reverse of ``spelled(_:_:)``.
  static func numbered(_ layer: String, _ bases: [String]) -> String {
    bases.contains(layer) ? layer + "_0" : layer
  }

  private static func split(_ layer: String, _ bases: [String]) -> (base: String, number: Int)? {
    for base in bases where layer.hasPrefix(base) {
      let rest = layer.dropFirst(base.count)
      if rest.isEmpty { return (base, 0) }
      if rest.first == "_", let number = Int(rest.dropFirst()), number >= 0 { return (base, number) }
    }
    return nil
  }
}
