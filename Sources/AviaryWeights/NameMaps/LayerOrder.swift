/// The order of another framework's layers, for files that are loaded by position.
struct LayerOrder {
  private let groups: [[NamePattern]]

  init(_ entries: [NameMapDocument.OrderEntry]) throws {
    groups = try entries.map { try $0.layers.map(NamePattern.init) }
  }

  /// Sorts by the layer each element belongs to; those that the order does not name come last, in their own order.
  func sorted<Element>(_ elements: [Element], by layer: (Element) -> String) -> [Element] {
    elements.enumerated()
      .map { (key: key(of: layer($0.element)) + [$0.offset], element: $0.element) }
      .sorted { $0.key.lexicographicallyPrecedes($1.key) }
      .map(\.element)
  }

  /// The group, the numbers in the name, the place in the group.
  private func key(of layer: String) -> [Int] {
    for (group, patterns) in groups.enumerated() {
      for (position, pattern) in patterns.enumerated() {
        if let numbers = pattern.match(layer) { return [group] + pattern.values(numbers) + [position] }
      }
    }
    return [groups.count]
  }
}
