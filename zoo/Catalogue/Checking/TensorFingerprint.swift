import AviaryLayers
import AviaryTensors
import AviaryWeights

/// How many tensors of each element count a file or a network has.
///
/// Name maps move axes and change names, never element counts: comparing these first spares most of a catalogue every map.
struct TensorFingerprint: Sendable {
  private var counts: [Int: Int] = [:]
  /// All tensors.
  private(set) var total = 0

  init(_ shapes: some Sequence<Shape>) {
    for shape in shapes {
      counts[shape.elementCount, default: 0] += 1
      total += 1
    }
  }

  /// The tensors of an archive, without PyTorch's counters.
  init(_ archive: WeightArchive) {
    self.init(
      archive.names.lazy.filter { !$0.hasSuffix("num_batches_tracked") }.map { archive.spec($0)!.shape })
  }

  /// How many tensors of equal element count both have.
  func common(_ other: TensorFingerprint) -> Int {
    counts.reduce(0) { $0 + min($1.value, other.counts[$1.key] ?? 0) }
  }

  func isContained(in other: TensorFingerprint) -> Bool { common(other) == total }

  /// The share of common tensors among those of both, from 0 to 1.
  func similarity(to other: TensorFingerprint) -> Double {
    let common = common(other)
    return total + other.total == 0 ? 0 : Double(common) / Double(total + other.total - common)
  }
}

/// A dialect of the catalogue and what its networks' tensors look like.
struct IdentificationCandidate: Sendable {
  let entry: ZooEntry
  let dialect: Dialect
  let classes: Int
  /// Whether its networks tell the classes of pictures apart.
  var isClassifier: Bool { entry.task == .classification }
  /// Whether its weights may come as numbers without names, in one tensor.
  let takesStreams: Bool
  /// Everything a checkpoint may hold.
  private let whole: TensorFingerprint
  /// What every checkpoint holds, whatever its number of classes and whether auxiliary classifiers were left out.
  private let body: TensorFingerprint

  /// All dialects of the catalogue that tensors can tell apart. Networks are built, but none of their values.
  static let all: [IdentificationCandidate] = Catalogue.entries.flatMap { entry in
    guard let card = try? entry.card() else { return [IdentificationCandidate]() }
    return entry.networks.compactMap { IdentificationCandidate(entry, $0, classes: card.classes) }
  }

  private init?(_ entry: ZooEntry, _ dialect: Dialect, classes: Int) {
    let model: any Network
    switch dialect.form {
    case .classifier(let form): model = form.make(classes)
    case .network(let blueprint, _):
      guard let network = try? blueprint.make(blueprint.settings) else { return nil }
      model = network
    }
    self.entry = entry
    self.dialect = dialect
    self.classes = classes
    takesStreams = model is any StreamedNetwork
    let entries = model.stateEntries
    let auxiliary = (model as? any AuxiliaryClassifiers)?.auxiliaryClassifiers.map { $0.name + "." } ?? []
    whole = TensorFingerprint(entries.map(\.shape))
    body = TensorFingerprint(
      entries.filter { entry in
        !entry.isFixed && entry.shape.first != classes && !auxiliary.contains { entry.name.hasPrefix($0) }
      }.map(\.shape))
  }

  /// Whether a file with these tensors can be of this dialect: it has all of the body, or nothing that the network lacks. Networks made from
  /// settings have other sizes with others.
  func mayFit(_ file: TensorFingerprint) -> Bool {
    if case .network = dialect.form { return file.total == whole.total || similarity(to: file) >= 0.3 }
    return body.isContained(in: file) || file.isContained(in: whole)
  }

  func similarity(to file: TensorFingerprint) -> Double { whole.similarity(to: file) }
}
