import AviaryTensors

/// What fits and what does not when weights are loaded into a model.
public struct LoadReport: Sendable {
  /// A tensor that the model expects and the file lacks.
  public struct Missing: Sendable {
    /// The model's name of it.
    public let name: String
    /// The shape that the model expects.
    public let shape: Shape
    /// Names the file has instead, most similar first.
    public let candidates: [String]
  }

  /// A tensor that the file has in another shape than the model.
  public struct Misshaped: Sendable {
    /// Its name on both sides.
    public let name: String
    /// The shape in the model.
    public let expected: Shape
    /// The shape in the file.
    public let found: Shape
  }

  /// Names present on both sides with equal shapes.
  public let matched: [String]
  /// Tensors that the file lacks and the model needs, in numeric order of their names.
  public let missing: [Missing]
  /// Names only the file has.
  public let unexpected: [String]
  /// Tensors present on both sides with different shapes, in numeric order of their names.
  public let misshaped: [Misshaped]
  /// Names the file lacks and the model was built without: parts that only training needs.
  public let absent: [String]
  /// Names that keep their first values, a new head's: the file lacks them or has them in another shape.
  public let initialised: [String]

  /// Similar names are looked for among this many at most: each pair costs the product of the names' lengths.
  private static let comparisons = 20_000

  /// Compares the tensors a model expects with those of `archive`; `absent` are those it does without.
  ///
  /// - Parameters:
  ///   - optional: names the file may have besides: what follows from the architecture and is not read.
  ///   - replaceable: names that may keep their first values.
  public init(
    expected: [String: Shape], optional: Set<String> = [], archive: WeightArchive, absent: [String] = [],
    replaceable: Set<String> = []
  ) {
    var matched: [String] = []
    var misshaped: [Misshaped] = []
    var missing: [String] = []
    var initialised: [String] = []
    for (name, shape) in expected.sorted(by: { NumericOrder.precedes($0.key, $1.key) }) {
      let found = archive.spec(name)?.shape
      if replaceable.contains(name), found != shape {
        initialised.append(name)
        continue
      }
      guard let found else {
        missing.append(name)
        continue
      }
      if found == shape {
        matched.append(name)
      } else {
        misshaped.append(Misshaped(name: name, expected: shape, found: found))
      }
    }
    let unexpected = Self.weightNames(archive).filter { expected[$0] == nil && !optional.contains($0) }
    let explained = unexpected.isEmpty ? 0 : Self.comparisons / unexpected.count
    self.matched = matched
    self.misshaped = misshaped
    self.unexpected = unexpected
    self.absent = absent
    self.initialised = initialised
    self.missing = missing.enumerated().map { position, name in
      let shape = expected[name]!
      let candidates = position < explained ? Self.candidates(for: name, shape, unexpected, archive) : []
      return Missing(name: name, shape: shape, candidates: candidates)
    }
  }

  /// Whether `archive` holds what a model expects and nothing else: the cheap question when many models are tried.
  public static func fits(
    expected: [String: Shape], optional: Set<String> = [], archive: WeightArchive
  ) -> Bool {
    weightNames(archive).count { !optional.contains($0) } == expected.count
      && expected.allSatisfy { archive.spec($0.key)?.shape == $0.value }
  }

  /// The counter of PyTorch's batch normalisation changes no result and is no weight.
  private static func weightNames(_ archive: WeightArchive) -> [String] {
    archive.names.filter { !$0.hasSuffix("num_batches_tracked") }
  }

  /// True when every expected tensor is there in its shape.
  public var isComplete: Bool { missing.isEmpty && misshaped.isEmpty }

  /// Throws one ``WeightsError`` that lists everything that does not fit.
  ///
  /// - Parameters:
  ///   - allowingUnexpected: tensors that only the file has are no error: a classifier's head when features are loaded.
  ///   - hint: how that can be allowed, said when nothing else is wrong.
  public func requireComplete(
    file: String? = nil, allowingUnexpected: Bool = false, hint: String? = nil
  ) throws {
    guard !isComplete || (!unexpected.isEmpty && !allowingUnexpected) else { return }
    let end = isComplete ? hint.map { "\n  " + $0 } ?? "" : ""
    throw WeightsError(.mismatched, text(allowingUnexpected: allowingUnexpected) + end, file: file)
  }

  /// How many tensors of each kind an error names.
  private static let shown = 3

  private func text(allowingUnexpected: Bool) -> String {
    var lines = ["the weights do not fit the model: \(matched.count) tensors match"]
    lines[0] +=
      ", \(missing.count) are missing, \(unexpected.count) unexpected, \(misshaped.count) of another shape"
    func list<Item>(_ items: [Item], _ what: String, _ line: (Item) -> String) {
      lines += items.prefix(Self.shown).map { "  " + line($0) }
      if items.count > Self.shown { lines.append("  and \(items.count - Self.shown) more \(what)") }
    }
    list(missing, "missing") { item in
      let similar =
        item.candidates.isEmpty ? "" : " (similar: \(item.candidates.map(\.shown).joined(separator: ", ")))"
      return "missing \(item.name) \(item.shape.shapeText)\(similar)"
    }
    list(misshaped, "of another shape") { item in
      "\(item.name): expected \(item.expected.shapeText), the file has \(item.found.shapeText)"
    }
    list(absent, "absent") { "absent \($0), which only training needs" }
    if !allowingUnexpected { list(unexpected, "unexpected") { "unexpected \($0.shown)" } }
    return lines.joined(separator: "\n")
  }

  // MARK: Similar names

  /// The three nearest names; of equally near ones, those of the wanted shape first.
  private static func candidates(
    for name: String, _ shape: Shape, _ unexpected: [String], _ archive: WeightArchive
  ) -> [String] {
    unexpected.map { candidate in
      (editDistance(name, candidate), archive.spec(candidate)!.shape == shape ? 0 : 1, candidate)
    }
    .filter { $0.0 <= max(name.utf8.count, $0.2.utf8.count) / 2 || $0.1 == 0 }
    .sorted { ($0.0, $0.1, $0.2) < ($1.0, $1.1, $1.2) }
    .prefix(3).map(\.2)
  }
}
