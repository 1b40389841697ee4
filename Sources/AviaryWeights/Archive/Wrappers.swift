import AviaryTensors

/// Names as the model itself has them, when something was around it as it was saved.
extension WeightArchive {
  /// What distributed training and compilation put before every name.
  private static let wrappers = ["module.", "_orig_mod."]
  /// What averaging counts beside the model.
  private static let counters: Set = ["n_averaged"]

  /// Without what wrappers add: their steps at the beginning of every name, in any order and number, and their counters. The metadata says
  /// it as `removed_prefix` and `not_taken`.
  func withoutWrappers() throws -> WeightArchive {
    // Keras' names are paths of its own.
    guard keras == nil else { return self }
    let models = names.filter { !Self.counters.contains($0) }
    var prefix = ""
    while let step = Self.wrappers.first(where: { step in models.allSatisfy { $0.hasPrefix(prefix + step) } }
    ),
      !models.isEmpty
    { prefix += step }
    var result = self
    result.alternatives = try alternatives.map { try $0.withoutWrappers() }
    guard !prefix.isEmpty else { return result }
    result = try selecting(models.map { (String($0.dropFirst(prefix.count)), $0) })
    result.alternatives = try alternatives.map { try $0.withoutWrappers() }
    result.metadata["removed_prefix", default: ""] += prefix
    result.leaveOut(names.filter { Self.counters.contains($0) })
    return result
  }

  /// Notes in the metadata what a file holds and the archive does not.
  mutating func leaveOut(_ names: [String]) {
    guard !names.isEmpty else { return }
    let noted = metadata["not_taken"].map { [$0] } ?? []
    metadata["not_taken"] = (noted + names).joined(separator: " ")
  }

  /// The archive as it may be meant when its model was a part of something larger (`model.`, `net.`, `backbone.`): for each beginning that
  /// at least a quarter of the names share, the tensors below it by the rest of their names, and the others as they are.
  public func withoutSharedPrefixes() -> [(prefix: String, archive: WeightArchive)] {
    var counts: [Substring: Int] = [:]
    for name in names {
      for (depth, dot) in name.indices.lazy.filter({ name[$0] == "." }).enumerated() where depth < 8 {
        counts[name[...dot], default: 0] += 1
      }
    }
    return counts.filter { 4 * $0.value >= count }.map { String($0.key) }
      .sorted { ($0.utf8.count, $0) < ($1.utf8.count, $1) }
      .compactMap { prefix in
        let renamed = names.map { name in
          (name: name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : name, source: name)
        }
        // Two tensors of one name: what is below the prefix is no model by itself.
        guard var archive = try? selecting(renamed) else { return nil }
        archive.metadata["removed_prefix", default: ""] += prefix
        return (prefix, archive)
      }
  }
}
