import AviaryLayers

extension Darknet.Configuration {
  /// The same network for another number of classes, by the two lines that a person would change for each head: its classes, and the outputs of
  /// the layer before it.
  ///
  /// - Throws: ``ConfigurationError`` where a head stands behind no convolution or full connection, or the new network makes no sense.
  public func relabelled(_ count: Int) throws -> Self? {
    let sections = try DarknetSection.sections(of: cfg)
    let layers = try Darknet(self).layers
    var text = DarknetText(cfg)
    for (number, layer) in layers.enumerated() {
      guard let head = layer as? DarknetHead else { continue }
      guard number > 0, let option = Self.outputs[sections[number].kind] else {
        throw sections[number + 1].error(
          given: "behind no [convolutional] or [connected]",
          expected: "one, whose outputs follow the number of classes")
      }
      text.set("classes", of: sections[number + 1], to: count)
      text.set(option, of: sections[number], to: head.numbers(classes: count))
    }
    let result = Darknet.Configuration(cfg: text.lines.joined(separator: "\n"), fork: fork)
    return try Darknet(result).heads.isEmpty ? nil : result
  }

  /// The option with the outputs of a layer, by the section's name.
  private static let outputs = [
    "convolutional": "filters", "conv": "filters", "connected": "output", "conn": "output",
  ]
}

extension DarknetHead {
  /// Channels of the map, or numbers of the vector, for so many classes.
  fileprivate func numbers(classes: Int) -> Int {
    if case .grid(let side, _, _) = kind { return side * side * (classes + 5 * boxes) }
    return boxes * (5 + classes)
  }
}

/// The lines of a `.cfg`, of which some are changed.
private struct DarknetText {
  private(set) var lines: [String]

  init(_ cfg: String) {
    lines = cfg.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }

  /// Where an option is not there, it follows the section's name in the same element, so that no line gets another number.
  mutating func set(_ name: String, of section: DarknetSection, to value: Int) {
    if let line = section.line(of: name) {
      lines[line - 1] = "\(name)=\(value)"
    } else {
      lines[section.line - 1] += "\n\(name)=\(value)"
    }
  }
}
