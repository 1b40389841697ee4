import AviaryTensors

/// Tensors that another framework keeps apart and that are one here, their rows one below the other: the projections of queries, keys and
/// values.
///
/// All have the same number of rows, so that the way back is known. The rest of a name map knows them as one tensor whose name has a `*`.
struct StackedRows: Sendable {
  private let whole: NamePattern
  private let parts: [NamePattern]

  /// - Parameters:
  ///   - pattern: their names with a `*` where they differ.
  ///   - words: what stands there, from the top.
  /// - Throws: ``WeightsError`` when there is no one `*`, or fewer than two words.
  init(_ pattern: String, _ words: [String]) throws {
    let pieces = pattern.split(separator: "*", omittingEmptySubsequences: false)
    guard pieces.count == 2, words.count > 1 else {
      throw WeightsError(
        .malformed, "the rule \(pattern.quoted) for stacked tensors needs one * and several words")
    }
    whole = try NamePattern(pattern)
    parts = try words.map { try NamePattern(pieces.joined(separator: $0)) }
  }

  /// Their tensors with the parts joined; those that lack another part, or do not fit it, stay as they are.
  func joined(_ archive: WeightArchive) throws -> WeightArchive {
    var wholes: [String: (name: String, parts: [String])] = [:]
    var joined: Set<String> = []
    for name in archive.names {
      guard let numbers = parts[0].match(name), let target = whole.name(numbers) else { continue }
      let names = parts.compactMap { $0.name(numbers) }
      let specs = names.compactMap(archive.spec)
      guard specs.count == parts.count, !specs[0].shape.isEmpty, specs.allSatisfy({ $0 == specs[0] }) else {
        continue
      }
      wholes[name] = (target, names)
      joined.formUnion(names)
    }
    if wholes.isEmpty { return archive }
    var result = WeightArchive()
    for name in archive.names {
      if let (target, names) = wholes[name] {
        let spec = archive.spec(name)!
        let shape = [spec.shape[0] * names.count] + spec.shape.dropFirst()
        try result.append(target, TensorSpec(shape, spec.dtype)) {
          concatenate(names.map { archive[$0]! }, axis: 0)
        }
      } else if !joined.contains(name) {
        try result.append(name, from: archive, name)
      }
    }
    return result.describing(as: archive)
  }

  /// Undoes ``joined(_:)``; throws ``WeightsError`` when the rows do not divide.
  func separated(_ archive: WeightArchive) throws -> WeightArchive {
    var result = WeightArchive()
    for name in archive.names {
      guard let numbers = whole.match(name) else {
        try result.append(name, from: archive, name)
        continue
      }
      let spec = archive.spec(name)!
      let rows = (spec.shape.first ?? 0) / parts.count
      guard spec.shape.first == rows * parts.count else {
        throw WeightsError(
          .mismatched, "\(name.quoted) of \(spec.shape.shapeText) is not \(parts.count) stacked tensors")
      }
      for (index, part) in parts.enumerated() {
        let shape = [rows] + spec.shape.dropFirst()
        try result.append(part.name(numbers)!, TensorSpec(shape, spec.dtype)) {
          archive[name]!.sliced(0, (index * rows)..<((index + 1) * rows))
        }
      }
    }
    return result.describing(as: archive)
  }
}
