import AviaryTensors

/// Finds the weights in what a checkpoint holds, and names them as the model's `state_dict()` would.
///
/// A checkpoint is a state dictionary, a dictionary around one, or a whole pickled model, whose modules are records with their
/// parameters, buffers and submodules among their attributes.
struct StateDictionary {
  private let tensors: TorchTensors
  private var graph: PickleGraph { tensors.graph }

  /// Keys under which training programs keep the model, the one to be preferred first: averaged weights are what they evaluate and publish.
  private static let averaged = ["ema", "state_dict_ema", "model_ema", "params_ema"]
  private static let wrappers =
    averaged + ["state_dict", "model_state_dict", "model", "net", "network", "params", "weights", "module"]
  /// What distributed training and compilation put before every name.
  private static let prefixes = ["module.", "_orig_mod."]

  private static let maximumDepth = 128
  /// Enough for all values once. Values may be shared, and a few of them refer to each other along very many ways.
  private static let maximumSteps = PickleGraph.maximumValues
  private static let maximumNameBytes = 64 << 20

  init(_ tensors: TorchTensors) { self.tensors = tensors }

  /// All tensors below `root` in the order of the file, and in the metadata what was taken and left out.
  func archive(_ root: PickleReference) throws -> WeightArchive {
    var metadata: [String: String] = [:]
    let (model, path, others) = try unwrapped(root, &metadata)
    if !path.isEmpty { metadata["unwrapped"] = path.joined(separator: ".") }
    if !others.isEmpty { metadata["not_taken"] = others.joined(separator: " ") }
    var found = try views(model)
    guard !found.isEmpty else {
      throw WeightsError(.unsupported, "the checkpoint holds no tensors that can be found")
    }
    for prefix in Self.prefixes where found.allSatisfy({ $0.name.hasPrefix(prefix) }) {
      found = found.map { (String($0.name.dropFirst(prefix.count)), $0.view) }
      metadata["removed_prefix", default: ""] += prefix
    }
    try checkSize(found.map(\.view))
    var archive = WeightArchive()
    for (name, view) in found {
      do {
        try view.append(to: &archive, name, in: FileWindow(tensors.storages.file))
      } catch let error as WeightsError {
        throw error.inPart("tensor \(name.quoted)")
      }
    }
    archive.metadata = metadata
    return archive
  }

  /// Views cost nothing in the file but memory here.
  private func checkSize(_ views: [StridedView]) throws {
    var total = 0
    for view in views {
      let (sum, overflow) = total.addingReportingOverflow(view.byteCount)
      let limit = max(64 << 20, 64 * tensors.storages.file.count)
      guard !overflow, sum <= limit else {
        throw WeightsError(.refused, "the tensors take more than \(limit) bytes, far more than the file")
      }
      total = sum
    }
  }

  // MARK: Wrappers

  /// The model inside dictionaries such as `{"epoch": 3, "state_dict": {…}, "optimizer": {…}}`, the keys that lead to it, and the
  /// keys that other models are under. Numbers and texts beside it go to the metadata.
  private func unwrapped(
    _ root: PickleReference, _ metadata: inout [String: String]
  ) throws -> (PickleReference, path: [String], others: [String]) {
    var current = root
    var path: [String] = []
    var others: [String] = []
    for _ in 0..<4 {
      guard let entries = named(current) else { break }
      var values: [String: PickleReference] = [:]
      for (name, value) in entries { values[name] = value }
      let models = try Self.wrappers.filter { try values[$0].map(isModel) ?? false }
      guard let key = models.first else { break }
      for (name, value) in values {
        if let text = text(value) { metadata["checkpoint." + (path + [name]).joined(separator: ".")] = text }
      }
      others += models.dropFirst().map { (path + [$0]).joined(separator: ".") }
      path.append(key)
      current = values[key]!
    }
    return (current, path, others)
  }

  /// The entries of a dictionary whose keys are texts.
  private func named(_ reference: PickleReference) -> [(name: String, value: PickleReference)]? {
    graph.entries(reference)?.compactMap { entry in
      graph.string(entry.key).map { ($0, entry.value) }
    }
  }

  /// A dictionary or a module with a tensor in it; a tensor called `weights` is none.
  private func isModel(_ reference: PickleReference) throws -> Bool {
    switch graph[reference] {
    case .dictionary, .record: try tensors.view(reference) == nil && !views(reference, limit: 1).isEmpty
    default: false
    }
  }

  private func text(_ reference: PickleReference) -> String? {
    switch graph[reference] {
    case .int(let value): String(value)
    case .float(let value): String(value)
    case .bool(let value): String(value)
    case .string(let text): text.utf8.count <= 200 ? text : nil
    default: nil
    }
  }

  // MARK: Tensors

  /// A container on the way from the root to the value being looked at.
  private struct Level {
    let name: String
    let children: [(name: String, value: PickleReference)]
    var next = 0
  }

  /// Tensors and their names below `root`, in order; at most `limit`.
  private func views(
    _ root: PickleReference, limit: Int = .max
  ) throws -> [(name: String, view: StridedView)] {
    var found: [(name: String, view: StridedView)] = []
    var levels = [Level(name: "", children: [("", root)])]
    var steps = 0
    var nameBytes = 0
    while let level = levels.last, found.count < limit {
      guard level.next < level.children.count else {
        levels.removeLast()
        continue
      }
      levels[levels.count - 1].next += 1
      let child = level.children[level.next]
      let name = level.name.isEmpty ? child.name : "\(level.name).\(child.name)"
      if let view = try view(child.value, name) {
        nameBytes += name.utf8.count
        found.append((name.isEmpty ? "tensor" : name, view))
        continue
      }
      let children = children(child.value)
      steps += 1
      guard steps <= Self.maximumSteps, nameBytes <= Self.maximumNameBytes else {
        throw WeightsError(.refused, "the checkpoint's values refer to each other along too many ways")
      }
      if children.isEmpty { continue }
      guard levels.count <= Self.maximumDepth, name.utf8.count <= Self.maximumNameBytes / 1024 else {
        throw WeightsError(.refused, "values are nested deeper than \(Self.maximumDepth): \(name.quoted)")
      }
      levels.append(Level(name: name, children: children))
    }
    return found
  }

  private func view(_ reference: PickleReference, _ name: String) throws -> StridedView? {
    do {
      return try tensors.view(reference)
    } catch let error as WeightsError {
      throw error.inPart("tensor \(name.quoted)")
    }
  }

  /// What a value holds, by the names a state dictionary would use.
  private func children(_ reference: PickleReference) -> [(name: String, value: PickleReference)] {
    switch graph[reference] {
    case .dictionary: return latest(graph.entries(reference) ?? [])
    case .list(let elements), .tuple(let elements):
      return elements.enumerated().map { (String($0.offset), $0.element) }
    case .record(let record):
      if let state = record.state.flatMap(attributes), let module = module(state) { return module }
      if let entries = graph.entries(reference) { return latest(entries) }
      let attributes = record.state.flatMap(attributes).map(latest) ?? []
      return attributes
        + (graph.elements(reference) ?? []).enumerated().map { (String($0.offset), $0.element) }
    default: return []
    }
  }

  /// The attributes of an object: its state, or for classes with slots the two halves of it.
  private func attributes(_ state: PickleReference) -> [PickleEntry]? {
    if let pair = graph.tuple(state), pair.count == 2 {
      let halves = pair.compactMap(graph.entries)
      return halves.isEmpty ? nil : halves.flatMap { $0 }
    }
    return graph.entries(state)
  }

  /// The parameters, buffers and submodules of an `nn.Module`, whose other attributes are no weights; nil for other objects.
  private func module(_ attributes: [PickleEntry]) -> [(name: String, value: PickleReference)]? {
    let state = Dictionary(latest(attributes), uniquingKeysWith: { $1 })
    guard let modules = state["_modules"], let parameters = state["_parameters"] else { return nil }
    let passing = state["_non_persistent_buffers_set"].map { Set(names($0)) }
    let buffers = state["_buffers"].flatMap(graph.entries).map(latest) ?? []
    return latest(graph.entries(parameters) ?? [])
      + buffers.filter { passing?.contains($0.name) != true }
      + latest(graph.entries(modules) ?? [])
  }

  /// The texts of a set, which older protocols make of a list.
  private func names(_ set: PickleReference) -> [String] {
    switch graph[set] {
    case .set(let elements): return elements.compactMap(graph.string)
    case .record(let record):
      let list = graph.tuple(record.arguments)?.first.flatMap(graph.elements)
      return (list ?? []).compactMap(graph.string)
    default: return []
    }
  }

  /// Entries by name, the last of each name at the place of the first, as in a dictionary.
  private func latest(_ entries: [PickleEntry]) -> [(name: String, value: PickleReference)] {
    var places: [String: Int] = [:]
    var result: [(name: String, value: PickleReference)] = []
    for entry in entries {
      let name: String
      switch graph[entry.key] {
      case .string(let text): name = text
      case .int(let number): name = String(number)
      default: continue
      }
      if let place = places[name] {
        result[place].value = entry.value
      } else {
        places[name] = result.count
        result.append((name, entry.value))
      }
    }
    return result
  }
}
