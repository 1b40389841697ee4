import AviaryLayers
import AviaryTensors
import AviaryWeights

/// Which network of the catalogue a file's tensors belong to, by their names and shapes alone.
public struct Identification: Sendable {
  /// How much of the network a file holds.
  public enum Extent: Sendable, Hashable {
    /// All of it, for a number of classes, 0 where the network is no classifier; what is left over besides is of no part of it.
    case whole(classes: Int)
    /// The first stages, through the one named: a file without a classifier ("notop").
    case features(through: String)
    /// The file is none of the catalogue's; this is the network most like it.
    case nearest
  }

  /// The model it is, or is most like.
  public let entry: ZooEntry
  /// The dialect whose tensors it has; those in ``alike`` have the same.
  public let dialect: Dialect
  /// The name map that leads to our names; nil where the file has them.
  public let nameMap: String?
  /// How much of it the file holds.
  public let extent: Extent
  /// Of a network that is no classifier: the settings that the tensors show and the catalogue's network does not have.
  public let settings: Settings
  /// What of the network the file has, and what is missing or left over.
  public let report: LoadReport

  /// Dialects whose weights look the same and expect other pictures; naming one chooses it: `resnet50.tv_v2`.
  public var alike: [String] {
    entry.dialects.filter { $0.network == dialect.network && $0.name != dialect.name }.map(\.name)
  }

  /// Whether the file is of this network, with or without its classifier.
  public var fits: Bool { extent != .nearest }
}

extension Zoo {
  /// The model and dialect whose tensors an archive has, all of them and no others, or none of another model when `allowing` says so; nil when
  /// it is none of the catalogue's.
  public static func identify(
    _ archive: WeightArchive, allowing: Allowance = []
  ) -> (entry: ZooEntry, dialect: Dialect)? {
    guard let found = identification(of: archive), case .whole = found.extent,
      found.report.unexpected.isEmpty || allowing.contains(.unexpected)
    else { return nil }
    return (found.entry, found.dialect)
  }

  /// What an archive is of: the network it fits, else the one whose first stages it holds, else the nearest one; nil when nothing in the
  /// catalogue has a tensor in common with it. Reads no values.
  public static func identification(of archive: WeightArchive) -> Identification? {
    if let described = describedIdentification(archive) { return described }
    let fingerprint = TensorFingerprint(archive)
    var (whole, features): (Identification?, Identification?) = (nil, nil)
    var fitting: Identification?
    for candidate in IdentificationCandidate.all
    where candidate.mayFit(fingerprint) || candidate.takesStreams && archive.darknet != nil {
      guard let found = Identification(archive, candidate) else { continue }
      switch found.extent {
      case .whole(let classes) where found.report.unexpected.isEmpty:
        // Another may have as many classes, and no parts that are left out here.
        if found.report.absent.isEmpty, classes == candidate.classes || !candidate.isClassifier {
          return found
        }
        fitting = fitting ?? found
      case .whole: whole = whole ?? found
      case .features: features = features ?? found
      case .nearest: break
      }
    }
    if let found = fitting ?? whole ?? features { return found }
    // Averaged weights may be of something else than those beside them.
    for alternative in archive.alternatives {
      if let found = identification(of: alternative), found.fits { return found }
    }
    return nearest(to: archive, fingerprint)
  }

  /// What a portable file says of itself, checked.
  private static func describedIdentification(_ archive: WeightArchive) -> Identification? {
    guard let metadata = archive.portable, let name = metadata.model,
      let entry = try? Catalogue.entry(name), let card = try? entry.card(),
      let dialect = metadata.dialect.flatMap({ entry.dialect(named: $0) })
    else { return nil }
    if case .network = dialect.form {
      return Identification(archive, entry, dialect, known: metadata.configuration ?? [:])
    }
    let classes = metadata.numClasses ?? card.classes
    guard 1..<(1 << 24) ~= classes,
      let network = try? DescribedNetwork(
        metadata, dialect, entry, card, archive, classes: classes, file: ""),
      let model = try? network.build(classes: classes)
    else { return nil }
    return Identification(archive, entry, dialect, model)
  }

  /// Of the networks with the most similar tensors, the one of which most names and shapes match. Where none does, half of the tensors must
  /// have equal sizes: anything less is chance.
  private static func nearest(
    to archive: WeightArchive, _ fingerprint: TensorFingerprint
  ) -> Identification? {
    let tried = 4
    let similar = IdentificationCandidate.all.map {
      (candidate: $0, similarity: $0.similarity(to: fingerprint))
    }.filter { $0.similarity > 0 }.sorted { $0.similarity > $1.similarity }
    var best: Identification?
    for (candidate, similarity) in similar.prefix(tried) {
      guard let found = Identification(archive, candidate) else { continue }
      let matched = found.report.matched.count
      if matched > best?.report.matched.count ?? 0 || best == nil && similarity >= 0.5 { best = found }
    }
    return best
  }
}

extension Identification {
  /// What an archive has of a candidate; nil when no name map can be applied.
  fileprivate init?(_ archive: WeightArchive, _ candidate: IdentificationCandidate) {
    let (entry, dialect) = (candidate.entry, candidate.dialect)
    switch dialect.form {
    case .classifier(let form): self.init(archive, entry, dialect, form.make(candidate.classes))
    case .network: self.init(archive, entry, dialect, known: [:])
    }
  }

  /// What an archive has of a network that is no classifier; nil when its shapes make none.
  fileprivate init?(_ archive: WeightArchive, _ entry: ZooEntry, _ dialect: Dialect, known: Settings) {
    guard case .network(let blueprint, _) = dialect.form,
      let fit = try? dialect.network(for: archive, known: known, given: [:])
    else { return nil }
    self.entry = entry
    self.dialect = dialect
    nameMap = fit.map
    report = LoadReport(of: fit.network, fit.weights)
    // What the dialect knows to be beside the network is of no other one.
    let isAlone =
      report.hasOnlyForeign(to: report.matched) || report.unexpected.allSatisfy { dialect.leavesOut($0) }
    extent = report.isComplete && isAlone ? .whole(classes: 0) : .nearest
    settings = fit.settings.filter { blueprint.settings[$0.key] != $0.value }
  }

  fileprivate init?(
    _ archive: WeightArchive, _ entry: ZooEntry, _ dialect: Dialect, _ template: any StagedModel
  ) {
    guard let (imported, map) = try? dialect.translated(archive, into: template) else { return nil }
    let isCut = template is TransferModel
    let model = isCut ? template : imported.classCount(template).map(dialect.make) ?? template
    if !isCut, let card = try? entry.card() {
      _ = model.take(inputOf: imported, from: dialect.inputShape(card))
    }
    let report = model.report(imported)
    self.entry = entry
    self.dialect = dialect
    self.report = report
    nameMap = map
    settings = [:]
    if report.isComplete, report.hasOnlyForeign(to: report.matched) {
      let classes = model.stateEntries.last(where: \.isTrained)?.shape.first ?? 0
      extent = .whole(classes: classes)
    } else {
      extent = model.lastCompleteStage(report).map { .features(through: $0) } ?? .nearest
    }
  }
}

extension StagedModel {
  /// The last of the stages that are complete when all later ones are missing altogether and nothing is left over but another head.
  fileprivate func lastCompleteStage(_ report: LoadReport) -> String? {
    guard report.misshaped.isEmpty, !report.matched.isEmpty, report.hasOnlyForeign(to: report.matched) else {
      return nil
    }
    let missing = Set(report.missing.map(\.name))
    var last: String?
    var hasEnded = false
    for stage in stages {
      let names = stage.parameterNames.flatMap { prefix in
        stateEntries.lazy.filter { !$0.isFixed }.map(\.name).filter {
          $0 == prefix || $0.hasPrefix(prefix + ".")
        }
      }
      let absent = names.count { missing.contains($0) }
      guard absent == 0 || absent == names.count else { return nil }
      if absent == 0, !names.isEmpty, hasEnded { return nil }
      if absent == 0, !hasEnded { last = stage.name }
      if absent > 0 { hasEnded = true }
    }
    return hasEnded ? last : nil
  }
}
