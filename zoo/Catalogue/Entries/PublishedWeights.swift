import AviaryWeights
import Foundation

/// A set of weights that a framework publishes for a model: where it is and what is known of it.
public struct PublishedWeights: Sendable {
  /// The model that they are of.
  public let entry: ZooEntry
  /// What the model's card says of them.
  public let card: Card.Weights

  /// What it is pulled by: `resnet50.tv_v1`.
  public var name: String { "\(entry.name).\(card.pullName)" }

  /// The name of the published file.
  public var file: String { card.file ?? card.url?.split(separator: "/").last.map(String.init) ?? name }

  /// The digest that its publisher gives, if any.
  package var digest: PublishedDigest? {
    card.sha256.map { .sha256($0) } ?? card.sha256Prefix.map { .sha256Prefix($0) }
      ?? card.md5.map { .md5($0) }
  }

  /// No file of these weights is longer: the published length, or else float32 values and room for names and an optimiser's state.
  var mostBytes: Int {
    if let bytes = card.bytes { return bytes }
    let margin = 64 << 10
    if let mebibytes = card.mebibytes { return Int(mebibytes * 0x1p20) + margin }
    let parameters = card.parameters ?? (try? entry.card().parameters) ?? 1 << 30
    return 16 * parameters + 256 * margin
  }

  /// Where the file is: at its publisher's, or at the same path below the address of a mirror.
  ///
  /// Throws ``NotPublished`` when the card says nowhere.
  public func url(mirror: String? = nil) throws -> String {
    guard let path = card.url ?? card.file else { throw NotPublished(name: name) }
    if path.contains("://") {
      guard let mirror else { return path }
      return mirror.withSlash + (path.split(separator: "/").last ?? "")
    }
    guard let base = try mirror ?? Self.sources()[card.framework] else { throw NotPublished(name: name) }
    return base.withSlash + path
  }

  /// The files that belong to them, in the folder of the file itself. Throws as ``url(mirror:)``.
  func companions(mirror: String? = nil) throws -> [CompanionDownload] {
    let folder = try url(mirror: mirror).split(separator: "/", omittingEmptySubsequences: false).dropLast()
    return (card.companions ?? []).map {
      CompanionDownload(
        file: $0.file, url: (folder + [$0.file[...]]).joined(separator: "/"),
        digest: $0.sha256.map { .sha256($0) }, byteCount: $0.bytes)
    }
  }

  /// The addresses below which frameworks publish their files.
  static func sources() throws -> [String: String] {
    try JSONDecoder().decode(
      [String: String].self, from: Data(contentsOf: try Resources.url("sources", "json")))
  }
}

extension String {
  fileprivate var withSlash: String { hasSuffix("/") ? self : self + "/" }
}

extension Card.Weights {
  /// What tells the set from others of its model.
  var pullName: String { tag ?? dialect }
  /// Comes with the zoo.
  var isOurs: Bool { framework == "aviary" }
}

extension ZooEntry {
  /// The sets of weights that exist elsewhere, the preferred one first.
  public func published() throws -> [PublishedWeights] {
    try card().weights.filter { !$0.isOurs && dialect(named: $0.dialect) != nil }.map {
      PublishedWeights(entry: self, card: $0)
    }
  }
}

extension Catalogue {
  /// A model and, where the text says it, one of its sets of weights: `resnet50`, `resnet50.keras_v1`. The entry has that set's dialect
  /// only, so that files of weights are read as such; a dialect that nothing is published of is chosen by its own name. The path of a darknet `.cfg` is the network that it describes.
  ///
  /// - Throws: ``UnknownModel``, ``UnknownWeights``; `WeightsError` or ``ConfigurationError`` for a `.cfg`.
  public static func selection(_ text: String) throws -> (entry: ZooEntry, weights: PublishedWeights?) {
    let text = canonicalName(text)
    if let entry = entries.first(where: { $0.name == text }) { return (entry, nil) }
    if let entry = try Darknet.selection(text) { return (entry, nil) }
    // Names of models have dots in them as well.
    for entry in entries where text.hasPrefix(entry.name + ".") {
      let tag = String(text.dropFirst(entry.name.count + 1))
      let published = try entry.published()
      let weights = published.first { $0.card.pullName == tag }
      guard let dialect = entry.dialect(named: weights?.card.dialect ?? tag) else {
        throw UnknownWeights(given: text, known: published.map(\.name))
      }
      return (entry.only(dialect), weights)
    }
    return (try entry(text), nil)
  }
}

/// A model has no such set of weights.
public struct UnknownWeights: Error, CustomStringConvertible, Equatable {
  /// The text that named them.
  public let given: String
  /// The names of the sets that the model has.
  public let known: [String]
  public var description: String {
    "there are no weights called \(given)"
      + (known.isEmpty ? "" : "; there are \(known.joined(separator: ", "))")
  }
}

/// There is no address to fetch weights from.
public struct NotPublished: Error, CustomStringConvertible, Equatable {
  /// What was to be fetched: a model, or one of its sets of weights.
  public let name: String
  public var description: String { "no address is known for weights of \(name): name a file with --weights" }
}
