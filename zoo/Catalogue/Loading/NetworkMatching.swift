import AviaryLayers
import AviaryTensors
import AviaryWeights
import Foundation

/// How the weights of a file fit a network that is no classifier: in which dialect, made from which settings, and under which names.
struct NetworkMatching {
  let entry: ZooEntry
  let file: WeightFile
  /// What the user says, which comes before what files and tensors say.
  let given: Settings
  let allowing: Allowance
  /// The path whose folder has the files that belong to the weights: that of their own file, mostly.
  let surroundings: String

  /// A network with first values, and the weights for it under our names.
  typealias Match = (loaded: LoadedNetwork, weights: WeightArchive)

  /// The first dialect that the weights fit, or the one that a portable file names, with what companion files say; throws `WeightsError`
  /// with everything that does not fit.
  func match() throws -> Match {
    if let metadata = file.archive.portable, let name = metadata.dialect {
      return try described(metadata, name)
    }
    var match = try fitting()
    if let names = file.archive.classNames, names.count == entry.task.labelCount(of: match.loaded.network) {
      match.loaded.metadata.labels = names
    }
    try match.loaded.take(companionsOf: surroundings)
    return match
  }

  private func fitting() throws -> Match {
    var best: Match?
    var closest: (report: LoadReport, matched: Int)?
    var failure: (any Error)?
    for dialect in entry.dialects {
      let attempt: Match
      do {
        attempt = try fitted(dialect, file.archive, known: try configurationFile(dialect))
      } catch let error as ConfigurationError {
        throw error
      } catch {
        failure = failure ?? error
        continue
      }
      let report = attempt.loaded.report!
      if report.matched.count > closest?.matched ?? -1 { closest = (report, report.matched.count) }
      let foreign = report.unexpected.filter { !dialect.leavesOut($0) }
      guard report.isComplete, foreign.isEmpty || allowing.contains(.unexpected) else { continue }
      if report.unexpected.count < best?.loaded.report?.unexpected.count ?? .max { best = attempt }
      if foreign.isEmpty { return attempt }
    }
    if let other = Zoo.identify(file.archive), other.entry.name != entry.name {
      throw WeightsError(
        .mismatched, "the file holds weights of \(other.entry.name), but \(entry.name) was asked for",
        file: file.path)
    }
    if let best { return best }
    guard let closest else { throw failure! }
    try closest.report.requireComplete(file: file.path, hint: Allowance.unexpected.hint)
    requirementFailure("a report that fits was found before")
  }

  /// The network that the weights' shapes ask for, and what of them fits it.
  private func fitted(_ dialect: Dialect, _ archive: WeightArchive, known: Settings) throws -> Match {
    let fit = try dialect.network(for: archive, known: known, given: given)
    let report = LoadReport(of: fit.network, fit.weights)
    return (try entry.loaded(dialect, fit.network, fit.settings, report), fit.weights)
  }

  /// What a `config.json` beside the weights says, where such files are the dialect's; or the `.cfg` of darknet's weights.
  private func configurationFile(_ dialect: Dialect) throws -> Settings {
    guard case .network(let blueprint, _) = dialect.form else { return [:] }
    if file.archive.darknet != nil, blueprint.settings[Darknet.cfgSetting] != nil {
      return try Darknet.settings(beside: file.path)
    }
    guard blueprint.hasConfigurationFile else { return [:] }
    return try ConfigurationFile.beside(surroundings)?.settings(blueprint.completed) ?? [:]
  }

  private func described(_ metadata: PortableMetadata, _ dialectName: String) throws -> Match {
    let dialect = try entry.dialect(dialectName, of: metadata, file: file.path)
    var (loaded, weights) = try fitted(dialect, file.archive, known: metadata.configuration ?? [:])
    try loaded.report!.requireComplete(
      file: file.path, allowingUnexpected: allowing.contains(.unexpected), hint: Allowance.unexpected.hint)
    loaded.metadata = metadata.completed(by: loaded.metadata)
    return (loaded, weights)
  }
}

extension PortableMetadata {
  /// What a file says, and what the catalogue says where the file does not.
  fileprivate func completed(by catalogue: PortableMetadata) -> PortableMetadata {
    var result = self
    result.model = catalogue.model
    result.task = catalogue.task
    result.configuration = catalogue.configuration
    result.outputs = catalogue.outputs
    result.labels = labels ?? catalogue.labels
    result.preprocessing = preprocessing ?? catalogue.preprocessing
    if let settings = taskSettings {
      result.taskSettings = (catalogue.taskSettings ?? [:]).merging(settings) { $1 }
    } else {
      result.taskSettings = catalogue.taskSettings
    }
    return result
  }
}

extension Dialect {
  /// A network with first values, as the settings and the weights' shapes ask for it, and the weights under our names with the name of the
  /// map that led to them.
  ///
  /// - Parameters:
  ///   - known: what a file says; the tensors' shapes come before it.
  ///   - given: what the user says, which comes before both.
  func network(
    for archive: WeightArchive, known: Settings, given: Settings
  ) throws -> (network: any Network, settings: Settings, weights: WeightArchive, map: String?) {
    guard case .network(let blueprint, let binding) = form else {
      requirementFailure("\(name) is of a classifier")
    }
    let (archive, given) = try binding.joined(archive, given)
    let settings = try blueprint.settings(with: known.merging(given) { $1 })
    let template = try blueprint.make(settings)
    var found = try translated(archive, into: template)
    let adopted = try blueprint.settings(settings, adopting: found.archive).merging(given) { $1 }
    guard adopted != settings else { return (template, settings, found.archive, found.map) }
    let network = try blueprint.make(adopted)
    // The map that gives most of the network's names can be another one now.
    found = try translated(archive, into: network)
    return (network, adopted, found.archive, found.map)
  }
}

extension TaskBinding {
  /// The weights of all files, those that settings name among them, and the other settings.
  fileprivate func joined(
    _ archive: WeightArchive, _ given: Settings
  ) throws -> (archive: WeightArchive, given: Settings) {
    // A file that holds all has our names.
    guard !parts.isEmpty, !archive.names.allSatisfy({ name in parts.contains { name.hasPrefix($0.prefix) } })
    else { return (archive, given) }
    var (result, given) = (WeightArchive(), given)
    for part in parts {
      var source = archive
      if let setting = part.setting {
        guard let value = given.removeValue(forKey: setting), value != .null else { continue }
        guard case .string(let path) = value else {
          throw ConfigurationError(entry: setting, given: value.shortText, expected: "a file of weights")
        }
        let file = try WeightFile.open(path)
        try file.requireIntact()
        source = file.archive
      }
      result.add(missingFrom: try source.selecting(source.names.map { (part.prefix + $0, $0) }))
    }
    return (result, given)
  }
}

extension ZooEntry {
  /// A network with what the catalogue binds to it. Throws a Foundation error when the installation is incomplete.
  func loaded(
    _ dialect: Dialect, _ network: any Network, _ settings: Settings, _ report: LoadReport? = nil
  ) throws -> LoadedNetwork {
    guard case .network(let blueprint, let binding) = dialect.form else {
      requirementFailure("\(name) is a classifier")
    }
    var metadata = PortableMetadata(model: name, dialect: dialect.name)
    metadata.task = task.rawValue
    let own = settings.filter { blueprint.tellsAllSettings || blueprint.settings[$0.key] != $0.value }
    metadata.configuration = own.isEmpty ? nil : own
    metadata.outputs = network.signature.outputs.map(\.name)
    metadata.labels = try binding.labels?.names(for: network, task)
    metadata.preprocessing = binding.preprocessing?.with(channels: network.imageChannels)
    metadata.taskSettings = binding.settings.isEmpty ? nil : binding.settings
    var loaded = LoadedNetwork(
      name: name, task: task, dialect: dialect, network: network, settings: settings, metadata: metadata,
      report: report, exampleShape: (try? card().input) ?? [])
    if let unexpected = report?.unexpected, !unexpected.isEmpty {
      loaded.changes.append("left out of what the file holds: \(unexpected.shortList)")
    }
    return loaded
  }
}

extension WeightArchive {
  /// How long an axis of a tensor is, where that is an extent that a network can have; nil otherwise, and when there is no such tensor.
  func extent(_ axis: Int, of name: String) -> Int? {
    guard let shape = spec(name)?.shape, axis < shape.count else { return nil }
    return 1...ConfigurationEntries.largest ~= shape[axis] ? shape[axis] : nil
  }
}
