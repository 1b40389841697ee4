import AviaryTensors

extension Module {
  /// Freezes blocks: their parameters are not trained and not tracked, their batch normalizations use and keep the statistics they have.
  /// It stays so through ``train()``, until ``unfreeze(_:)``.
  ///
  /// A pattern is a name (`features.0`, `layer1`), which covers everything below it, or a pattern with `*` (`layer*.bn1`);
  /// no pattern at all means everything.
  ///
  /// - Returns: The names of the parameters and buffers the call covered; empty when a pattern matches nothing.
  @discardableResult
  public func freeze(_ patterns: String...) -> [String] { setFrozen(true, patterns) }

  /// As for patterns that are written out; an empty array means everything.
  @discardableResult
  public func freeze(_ patterns: [String]) -> [String] { setFrozen(true, patterns) }

  /// The reverse of ``freeze(_:)``.
  @discardableResult
  public func unfreeze(_ patterns: String...) -> [String] { setFrozen(false, patterns) }

  /// As for patterns that are written out; an empty array means everything.
  @discardableResult
  public func unfreeze(_ patterns: [String]) -> [String] { setFrozen(false, patterns) }

  /// Whether a pattern of ``freeze(_:)`` covers a parameter or buffer of the module.
  package func covers(_ pattern: String) -> Bool { members().contains { $0.name.isCovered(by: pattern) } }

  private func setFrozen(_ isFrozen: Bool, _ patterns: [String]) -> [String] {
    members().compactMap { name, member in
      guard patterns.isEmpty || patterns.contains(where: { name.isCovered(by: $0) }) else { return nil }
      switch member {
      case .parameter(let parameter): parameter.isFrozen = isFrozen
      case .buffer(let buffer): buffer.isFrozen = isFrozen
      case .module: return nil
      }
      return name
    }
  }
}

extension String {
  /// True for the name itself and everything below it; `*` stands for any characters but a dot.
  func isCovered(by pattern: String) -> Bool {
    let own = split(separator: ".")
    let wanted = pattern.split(separator: ".")
    return wanted.count <= own.count && zip(own, wanted).allSatisfy { $0.matches(wildcard: $1) }
  }
}

extension Substring {
  fileprivate func matches(wildcard pattern: Substring) -> Bool {
    guard let star = pattern.firstIndex(of: "*") else { return self == pattern }
    guard hasPrefix(pattern[..<star]) else { return false }
    let rest = pattern[pattern.index(after: star)...]
    var tail = dropFirst(pattern[..<star].count)
    while true {
      if tail.matches(wildcard: rest) { return true }
      if tail.isEmpty { return false }
      tail = tail.dropFirst()
    }
  }
}
