import AviaryLayers
import AviaryTensors

/// Weights of any module, one's own as well as the zoo's, in files.
extension Module {
  /// The weights under the names that they have in files.
  public func archive() throws -> WeightArchive {
    try WeightArchive(stateEntries.map { ($0.name, $0.value) })
  }

  /// Writes the weights as a portable file, complete or not at all.
  ///
  /// - Parameters:
  ///   - metadata: what else belongs to them: a name for the network, its configuration, class names, preprocessing.
  ///   - floats: the type floating-point tensors are stored in; nil keeps float32.
  /// - Throws: `WeightsError` when the file cannot be written, or its name promises another format.
  public func save(
    to path: String, describing metadata: PortableMetadata = PortableMetadata(), floats: DType? = nil
  ) throws {
    var archive = try archive()
    archive.portable = metadata
    try WeightFile.write(archive, to: path, as: .portable, floats: floats)
  }

  /// Takes over the weights of a file in any known format whose tensors have this module's names and shapes.
  ///
  /// - Parameter allowing: what is taken or left out that would be refused otherwise.
  /// - Returns: what fitted.
  /// - Throws: `WeightsError` with everything that does not fit, or for damaged values; the module is then as it was.
  @discardableResult
  public func load(from path: String, allowing: Allowance = []) throws -> LoadReport {
    let file = try WeightFile.open(path)
    try file.requireIntact()
    let report = LoadReport(of: self, file.archive)
    try report.requireComplete(
      file: path, allowingUnexpected: allowing.contains(.unexpected), hint: Allowance.unexpected.hint)
    _ = try file.archive.selecting(report.matched.map { ($0, $0) })
      .requireUsableValues(file: path, allowing: allowing)
    _ = assign(file.archive, report)
    return report
  }

  /// What a file must hold, and what it may hold besides.
  package var expectations: (expected: [String: Shape], optional: Set<String>) {
    let entries = stateEntries
    let expected = entries.filter { !$0.isFixed }.map { ($0.name, $0.shape) }
    return (Dictionary(uniqueKeysWithValues: expected), Set(entries.filter(\.isFixed).map(\.name)))
  }

  /// Takes over the values of an archive that a report found complete, and returns what is wrong with them.
  package func assign(_ archive: WeightArchive, _ report: LoadReport) -> [ValueDefect] {
    let initialised = Set(report.initialised)
    let tensors = stateEntries.compactMap { entry -> (name: String, tensor: Tensor)? in
      guard !initialised.contains(entry.name), let tensor = archive[entry.name] else { return nil }
      entry.value = tensor
      return (entry.name, tensor)
    }
    return ValueDefect.all(in: tensors)
  }
}

extension LoadReport {
  /// Compares the tensors that a module expects with those of `archive`.
  package init(
    of module: some Module, _ archive: WeightArchive, absent: [String] = [], replaceable: Set<String> = []
  ) {
    let (expected, optional) = module.expectations
    self.init(
      expected: expected, optional: optional, archive: archive, absent: absent, replaceable: replaceable)
  }
}
