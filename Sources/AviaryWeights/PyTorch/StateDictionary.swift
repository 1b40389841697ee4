import AviaryTensors

/// Finds the weights in what a checkpoint holds, and names them as the model's `state_dict()` would.
///
/// A checkpoint is a state dictionary, a dictionary around one, or a whole pickled model, whose modules are records with their
/// parameters, buffers and submodules among their attributes.
struct StateDictionary {
  private let tensors: TorchTensors
  private var graph: PickleGraph { tensors.graph }
  private var budget: ReadingBudget { tensors.storages.budget }
  /// Containers with no tensor below them.
  private var barren: Set<PickleReference> = []
  /// Names of optimisers that were come across, whose tensors are no weights.
  private var optimizers: [String] = []

  /// Keys under which training programs keep the model, the one to be preferred first: averaged weights are what they evaluate and publish.
  private static let averaged = ["ema", "state_dict_ema", "model_ema", "params_ema"]
  private static let wrappers =
    averaged + ["state_dict", "model_state_dict", "model", "net", "network", "params", "weights", "module"]

  private static let maximumDepth = 128
  private static let maximumNameBytes = 64 << 10

  init(_ tensors: TorchTensors) { self.tensors = tensors }

  /// All tensors below `root` in the order of the file, and in the metadata what was taken and left out. Other models that the checkpoint
  /// holds are the archive's alternatives.
  mutating func archive(_ root: PickleReference) throws -> WeightArchive {
    let (models, facts) = try unwrapped(root)
    var archive = try archive(models[0], facts, leaving: models.dropFirst().map(\.name))
    guard !archive.isEmpty else {
      throw WeightsError(.unsupported, "the checkpoint holds no tensors that can be found")
    }
    for model in models.dropFirst() {
      let others = models.map(\.name).filter { $0 != model.name }
      // What is wrong with weights that nobody asked for is no error.
      if let alternative = try? self.archive(model, facts, leaving: others) {
        archive.alternatives.append(alternative)
      }
    }
    return archive
  }

  private mutating func archive(
    _ model: Model, _ facts: [String: String], leaving others: [String]
  ) throws -> WeightArchive {
    var archive = WeightArchive()
    optimizers = []
    for (name, view) in try views(model.root) {
      do {
        // Views cost nothing in the file.
        try budget.unpack(bytes: view.elements.byteCount)
        try view.append(to: &archive, name)
      } catch let error as WeightsError {
        throw error.inPart("tensor \(name.quoted)")
      }
    }
    archive.metadata = facts
    if !model.name.isEmpty { archive.metadata["unwrapped"] = model.name }
    archive.classNames = try classNames(model.root)
    archive.leaveOut(others + optimizers)
    return archive
  }

  // MARK: Wrappers

  /// A model in a checkpoint, and the keys that lead to it, joined by dots.
  private struct Model {
    let name: String
    let root: PickleReference
  }

  /// The models inside dictionaries such as `{"epoch": 3, "state_dict": {…}, "optimizer": {…}}`, the one to be preferred first, and the
  /// numbers and texts beside them. Without such a dictionary the model is the root.
  private mutating func unwrapped(
    _ root: PickleReference
  ) throws -> (models: [Model], facts: [String: String]) {
    var facts: [String: String] = [:]
    var best = Model(name: "", root: root)
    var others: [Model] = []
    for _ in 0..<4 {
      guard let entries = named(best.root) else { break }
      let path = best.name.isEmpty ? "" : best.name + "."
      let values = Dictionary(entries, uniquingKeysWith: { $1 })
      let models = try Self.wrappers.compactMap { key -> Model? in
        guard let value = values[key], try isModel(value) else { return nil }
        return Model(name: path + key, root: value)
      }
      guard let first = models.first else { break }
      for (name, value) in values { facts["checkpoint.\(path)\(name)"] = text(value) }
      others += models.dropFirst()
      best = first
    }
    return ([best] + others, facts)
  }

  /// The entries of a dictionary whose keys are texts.
  private func named(_ reference: PickleReference) -> [(name: String, value: PickleReference)]? {
    graph.entries(reference)?.compactMap { entry in
      graph.string(entry.key).map { ($0, entry.value) }
    }
  }

  /// A dictionary or a module with a tensor in it; a tensor called `weights` is none.
  private mutating func isModel(_ reference: PickleReference) throws -> Bool {
    switch graph[reference] {
    case .dictionary, .record: try tensors.view(reference) == nil && !views(reference, limit: 1).isEmpty
    default: false
    }
  }

  /// What a whole pickled model says of its classes in an attribute `names`, a list of texts or texts by the numbers from 0; nil where there is
  /// nothing of the kind.
  private func classNames(_ root: PickleReference) throws -> [String]? {
    guard case .record(let record) = graph[root], let state = record.state.flatMap(attributes) else {
      return nil
    }
    guard let names = try latest(state).first(where: { $0.name == "names" })?.value else { return nil }
    try budget.spend(steps: graph.width(names))
    var texts: [String] = []
    if let elements = graph.elements(names) {
      texts = elements.compactMap(graph.string)
      return texts.count == elements.count ? texts : nil
    }
    for (number, entry) in (graph.entries(names) ?? []).enumerated() {
      guard graph.int(entry.key) == number, let text = graph.string(entry.value) else { return nil }
      texts.append(text)
    }
    return texts.isEmpty ? nil : texts
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
    let container: PickleReference
    /// How many tensors there were before it.
    let found: Int
    let children: [(name: String, value: PickleReference)]
    var next = 0
  }

  /// Tensors and their names below `root`, in order; at most `limit`.
  private mutating func views(
    _ root: PickleReference, limit: Int = .max
  ) throws -> [(name: String, view: TorchTensors.View)] {
    var found: [(name: String, view: TorchTensors.View)] = []
    var levels = [Level(name: "", container: root, found: 0, children: [("", root)])]
    while let level = levels.last, found.count < limit {
      guard level.next < level.children.count else {
        levels.removeLast()
        // Configurations, optimisers, histories need no second look.
        if levels.count > 0, found.count == level.found { barren.insert(level.container) }
        continue
      }
      levels[levels.count - 1].next += 1
      let child = level.children[level.next]
      if barren.contains(child.value) { continue }
      let name = level.name.isEmpty ? child.name : "\(level.name).\(child.name)"
      try budget.spend(steps: 8 + name.utf8.count / 32)
      if let view = try view(child.value, name) {
        try budget.keep(bytes: 512 + name.utf8.count)
        found.append((name.isEmpty ? "tensor" : name, view))
        continue
      }
      let width = graph.width(child.value)
      try budget.spend(steps: 2 * width)
      let children = try children(child.value)
      if children.isEmpty {
        if width > 8 { barren.insert(child.value) }
        continue
      }
      if Self.isOptimizer(children.map(\.name)) {
        // Alone in a file, it is what the file is for.
        guard level.name.isEmpty, child.name.isEmpty else {
          optimizers.append(name)
          barren.insert(child.value)
          continue
        }
      }
      guard levels.count <= Self.maximumDepth, name.utf8.count <= Self.maximumNameBytes else {
        throw WeightsError(.refused, "values are nested deeper than \(Self.maximumDepth): \(name.quoted)")
      }
      levels.append(Level(name: name, container: child.value, found: found.count, children: children))
    }
    return found
  }

  /// Whether something with these entries is an optimiser or what `Optimizer.state_dict()` makes of one.
  private static func isOptimizer(_ names: [String]) -> Bool {
    names.contains("state") && names.contains("param_groups")
  }

  private func view(_ reference: PickleReference, _ name: String) throws -> TorchTensors.View? {
    do {
      return try tensors.view(reference)
    } catch let error as WeightsError {
      throw error.inPart("tensor \(name.quoted)")
    }
  }

  /// What a value holds, by the names a state dictionary would use.
  private func children(_ reference: PickleReference) throws -> [(name: String, value: PickleReference)] {
    switch graph[reference] {
    case .dictionary: return try latest(graph.entries(reference) ?? [])
    case .list(let elements), .tuple(let elements):
      return elements.enumerated().map { (String($0.offset), $0.element) }
    case .record(let record):
      if let state = record.state.flatMap(attributes), let module = try module(state) { return module }
      if let entries = graph.entries(reference) { return try latest(entries) }
      let attributes = try record.state.flatMap(attributes).map(latest) ?? []
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
  private func module(_ attributes: [PickleEntry]) throws -> [(name: String, value: PickleReference)]? {
    let state = Dictionary(try latest(attributes), uniquingKeysWith: { $1 })
    guard let modules = state["_modules"], let parameters = state["_parameters"] else { return nil }
    let passing = try state["_non_persistent_buffers_set"].map { Set(try names($0)) }
    let buffers = try state["_buffers"].flatMap(graph.entries).map(latest) ?? []
    return try latest(graph.entries(parameters) ?? [])
      + buffers.filter { passing?.contains($0.name) != true }
      + latest(graph.entries(modules) ?? [])
  }

  /// The texts of a set, which older protocols make of a list.
  private func names(_ set: PickleReference) throws -> [String] {
    try budget.spend(steps: graph.width(set))
    switch graph[set] {
    case .set(let elements): return elements.compactMap(graph.string)
    case .record(let record):
      let list = graph.tuple(record.arguments)?.first.flatMap(graph.elements)
      return (list ?? []).compactMap(graph.string)
    default: return []
    }
  }

  /// Entries by name, the last of each name at the place of the first, as in a dictionary.
  private func latest(_ entries: [PickleEntry]) throws -> [(name: String, value: PickleReference)] {
    try budget.spend(steps: 4 * entries.count)
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
