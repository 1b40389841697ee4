import AviaryTensors
import Foundation

/// Another framework's names and layouts of a family's weights, and ours: data, and usable in both directions.
///
/// A map is a JSON file beside the model it is for:
/// ```json
/// { "summary": "…", "theirs": "keras",
///   "rules": [ { "theirs": "conv{s}_block{n}_1_conv", "ours": "layer{s-1}.{n-1}.conv1", "layer": "convolution" } ] }
/// ```
/// The first rule that matches a name decides. `layer` makes a rule stand for each weight of such a layer; `stacked` makes one tensor of
/// several, whose names have a word in the place of a `*`; `lstm` makes PyTorch's four tensors of a cell's kernel and bias, `recurrent` of the
/// three tensors of a recurrent layer of Keras.
package struct NameMap: Sendable {
  private struct Rule {
    let theirs: NamePattern
    let ours: NamePattern
    let transform: LayoutTransform
    /// For rules made from a layer: their layer's name and its class in Keras.
    let layer: (pattern: NamePattern, className: String)?
  }

  /// What a translation gives.
  package struct Translation: Sendable {
    /// Tensors under the other side's names.
    package let archive: WeightArchive
    /// Tensors that no rule matches, as they were; those of a Keras file have their canonical names.
    package let rest: WeightArchive

    /// The names that no rule matches.
    package var unmatched: [String] { rest.names }
  }

  let document: NameMapDocument
  private let rules: [Rule]
  private let stacks: [StackedRows]
  private let cells: [LSTMCells]
  private let recurrences: [KerasRecurrentLayers]
  private let order: LayerOrder

  /// What the map is for, in one line.
  package var summary: String { document.summary }

  /// Whose names it translates: `keras`, `timm`, …
  package var theirs: String { document.theirs }

  /// Reads the map in the JSON file at `path`; throws ``WeightsError`` naming it.
  package init(contentsOf path: String) throws {
    let map = try naming(path) {
      guard let data = FileManager.default.contents(atPath: path) else {
        throw WeightsError(.unreadable, "the name map cannot be read")
      }
      return try NameMap(json: Array(data))
    }
    self = map
  }

  /// Reads a map from JSON text; throws ``WeightsError`` when a pattern or a field is wrong.
  package init(json: [UInt8]) throws {
    try self.init(JSONValue.decode(NameMapDocument.self, from: json, what: "the name map"))
  }

  init(_ document: NameMapDocument) throws {
    self.document = document
    rules = try document.rules.flatMap(Self.rules)
    stacks = try document.rules.compactMap { rule in
      try rule.stacked.map { try StackedRows(rule.theirs, $0) }
    }
    cells = try document.rules.compactMap { rule in try rule.lstm.map { try LSTMCells(rule, $0) } }
    recurrences = try document.rules.compactMap { rule in
      try rule.recurrent.map { try KerasRecurrentLayers(rule, $0) }
    }
    order = try LayerOrder(document.order ?? [])
  }

  /// The same map with rules for dense layers of its own, such as a new head's: `ours` to Keras' name `theirs`.
  ///
  /// - Parameter flattened: channels, height and width before a flatten in front of the first of them.
  package func adding(dense layers: [(theirs: String, ours: String)], flattened: [Int]) throws -> NameMap {
    var document = document
    document.rules += layers.enumerated().map { index, layer in
      NameMapDocument.Rule(
        theirs: layer.theirs, ours: layer.ours, layer: .dense, flattened: index == 0 ? flattened : nil)
    }
    document.order = (document.order ?? []) + layers.map { .layer($0.theirs) }
    return try NameMap(document)
  }

  private static func rules(for rule: NameMapDocument.Rule) throws -> [Rule] {
    let kinds = [rule.layer != nil, rule.like != nil, rule.lstm != nil, rule.recurrent != nil]
    guard kinds.count(where: { $0 }) < 2 else {
      throw WeightsError(
        .malformed, "the rule \(rule.theirs.quoted) has more than one of layer, like, lstm and recurrent")
    }
    if let kind = rule.recurrent {
      return try KerasRecurrentLayers(rule, kind).ours.map {
        Rule(theirs: $0, ours: $0, transform: .identity, layer: nil)
      }
    }
    if let cell = rule.lstm {
      // Cells are taken apart before rules are looked at, and put together after.
      return try LSTMCells(rule, cell).ours.map {
        Rule(theirs: $0, ours: $0, transform: .identity, layer: nil)
      }
    }
    let theirs = try NamePattern(rule.theirs)
    let ours = try NamePattern(rule.ours)
    guard theirs.captureNames == ours.captureNames else {
      throw WeightsError(
        .malformed,
        "\(rule.theirs.quoted) and \(rule.ours.quoted) do not use the same numbers: there is no way back")
    }
    guard let layer = rule.layer else {
      let transform = try rule.like?.transform(for: rule) ?? .identity
      return [Rule(theirs: theirs, ours: ours, transform: transform, layer: nil)]
    }
    return try layer.weights.enumerated().map { position, names in
      Rule(
        theirs: try NamePattern("\(rule.theirs)/\(names.theirs)"),
        ours: try NamePattern("\(rule.ours).\(names.ours)"),
        transform: try layer.transform(for: rule, weight: position), layer: (theirs, layer.kerasClass))
    }
  }
}

// MARK: Translating

extension NameMap {
  /// Their weights under our names and in our layouts.
  ///
  /// - Parameters:
  ///   - prefix: cut off their names first, where it stands: `resnet50/` of a nested model.
  ///   - expected: our names of the model's tensors. Needed only for files of Keras 3 that number their layers and do not name them.
  /// - Throws: ``WeightsError`` when a shape does not allow its transform or two weights get one name.
  package func imported(
    _ archive: WeightArchive, strippingPrefix prefix: String = "", expecting expected: [String] = []
  ) throws -> Translation {
    var source = archive
    if document.isKeras, let keras = archive.keras {
      source.keras = KerasLayerNumbers(layers(for: expected)).named(keras)
      source = try source.withCanonicalKerasNames()
    }
    source = try stacks.reduce(source) { try $1.joined($0) }
    source = try cells.reduce(source) { try $1.unpacked($0) }
    source = try recurrences.reduce(source) { try $1.unpacked($0) }
    let numbers = AutomaticNames(document.automaticNames ?? [], in: source.names)
    return try translate(source) { name in
      let stripped = name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : name
      let canonical = numbers.normalized(stripped)
      for rule in rules {
        guard let captures = rule.theirs.match(canonical), let ours = rule.ours.name(captures) else {
          continue
        }
        return (ours, { try rule.transform.importing($0) })
      }
      return nil
    }
  }

  /// Our weights under their names, in their layouts and, where the map says it, in their order.
  ///
  /// For Keras the result carries layers, so that its writers can spell them. PyTorch's `num_batches_tracked` has no counterpart
  /// and is left out without being reported.
  /// - Throws: ``WeightsError`` when a shape does not allow its transform or two weights get one name.
  package func exported(_ archive: WeightArchive) throws -> Translation {
    let counted = archive.names.filter { !$0.hasSuffix("num_batches_tracked") }
    let whole = try translate(try archive.selecting(counted.map { ($0, $0) })) { name in
      theirs(for: name).map { theirs in (theirs.name, { try theirs.transform.exporting($0) }) }
    }
    let cellular = try cells.reduce(whole.archive) { try $1.packed($0) }
    let packed = try recurrences.reduce(cellular) { try $1.packed($0) }
    let translation = Translation(
      archive: try stacks.reduce(packed) { try $1.separated($0) }, rest: whole.rest)
    guard document.isKeras else { return translation }
    let classes = Dictionary(layers(for: counted), uniquingKeysWith: { first, _ in first })
    let sorted = sorted(translation.archive.names, by: KerasNaming.layer(of:))
    let result = try translation.archive.selecting(sorted.map { ($0, $0) })
    return Translation(archive: try KerasSpelling.legacy(result, classes: classes), rest: translation.rest)
  }

  /// Their name of one of our tensors, and of the layer it belongs to when the rule is for a layer.
  private func theirs(
    for name: String
  ) -> (name: String, transform: LayoutTransform, layer: (name: String, className: String)?)? {
    let automatic = document.automaticNames ?? []
    for rule in rules {
      guard let captures = rule.ours.match(name), let theirs = rule.theirs.name(captures) else { continue }
      // A name that another rule claims on the way in would not come back.
      guard rules.first(where: { $0.theirs.match(theirs) != nil })?.ours == rule.ours else { continue }
      let layer = rule.layer.flatMap { layer in
        layer.pattern.name(captures).map { (AutomaticNames.spelled($0, automatic), layer.className) }
      }
      return (AutomaticNames.spelled(theirs, automatic), rule.transform, layer)
    }
    return nil
  }

  /// Their layers that make up a model with the given tensors of ours, in their order.
  private func layers(for ourNames: [String]) -> [(name: String, className: String)] {
    var seen: Set<String> = []
    let layers = ourNames.compactMap { theirs(for: $0)?.layer }.filter { seen.insert($0.name).inserted }
    return sorted(layers, by: \.name)
  }

  /// In the order of their model, whose automatic names all have a number.
  private func sorted<Element>(_ elements: [Element], by layer: (Element) -> String) -> [Element] {
    order.sorted(elements) { AutomaticNames.numbered(layer($0), document.automaticNames ?? []) }
  }

  private func translate(
    _ archive: WeightArchive,
    _ lookUp: (String) -> (name: String, move: (Shape) throws -> AxisMove)?
  ) throws -> Translation {
    var result = WeightArchive()
    var origins: [String: String] = [:]
    var rest = WeightArchive()
    for name in archive.names {
      guard let (target, move) = lookUp(name) else {
        try rest.append(name, from: archive, name)
        continue
      }
      if let other = origins.updateValue(name, forKey: target) {
        throw WeightsError(.mismatched, "\(other.quoted) and \(name.quoted) both become \(target.quoted)")
      }
      do {
        try result.append(target, from: archive, name, moving: try move(archive.spec(name)!.shape))
      } catch let error as WeightsError {
        throw error.inPart(name.quoted)
      }
    }
    result = result.describing(as: archive)
    result.keras = nil
    return Translation(archive: result, rest: rest)
  }
}
