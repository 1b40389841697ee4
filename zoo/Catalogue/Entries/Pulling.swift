import AviaryWeights
import Foundation

extension Zoo {
  /// The published weights that a text names, in the cache: `resnet50` (its preferred ones) or `resnet50.keras_v1`.
  ///
  /// Fetches them, and what belongs to them (a vocabulary), when they are not there. The published digest is checked, the whole file's SHA-256 kept and checked whenever the file
  /// has changed.
  /// - Parameters:
  ///   - mirror: an address to fetch from instead of the publisher's, with the same paths below it.
  ///   - isOffline: fetches nothing: what is not in the cache is an error.
  /// - Throws: ``UnknownModel``, ``UnknownWeights``, ``NotPublished``, `DownloadError`, `WeightsError`.
  public static func pull(
    _ text: String, mirror: String? = nil, isOffline: Bool = false, isForced: Bool = false,
    policy: Download.Policy = .init(), waiting: () -> Void = {},
    report: @escaping (Download.Event) -> Void = { _ in }
  ) throws -> (weights: PublishedWeights, file: WeightCache.Entry) {
    let (entry, chosen) = try Catalogue.selection(text)
    guard let weights = try chosen ?? entry.published().first else { throw NotPublished(name: text) }
    let cache = try WeightCache.user()
    let url = try weights.url(mirror: mirror)
    if isOffline {
      guard let file = try cache.file(weights.name) else {
        throw DownloadError(
          .offline, url,
          "\(weights.name) is not in the cache, and nothing is to be fetched: 'aviary pull \(weights.name)' does"
        )
      }
      return (weights, file)
    }
    let file = try cache.pull(
      weights.name, file: weights.file,
      Download(
        url: url, digest: weights.digest, byteCount: weights.card.bytes, mostBytes: weights.mostBytes),
      publishedAt: try weights.url(), companions: try weights.companions(mirror: mirror), isForced: isForced,
      policy: policy,
      // Without a digest the tensors at least have to be the model's.
      accept: { if weights.digest == nil { _ = try described(entry, $0) } }, waiting: waiting, report: report)
    return (weights, file)
  }

  /// The pulled weights of a model: those chosen, else the first of its card's that are in the cache. Never uses the network.
  static func pulled(
    _ entry: ZooEntry, _ chosen: PublishedWeights?
  ) throws -> (weights: PublishedWeights, file: WeightCache.Entry)? {
    guard let cache = try? WeightCache.user() else { return nil }
    for weights in try chosen.map({ [$0] }) ?? entry.published() {
      if let file = try cache.file(weights.name) { return (weights, file) }
    }
    return nil
  }
}

extension LoadedClassifier {
  /// With what the card says of where the weights come from, unless the file said it itself.
  func published(as weights: PublishedWeights, _ file: WeightCache.Entry) -> LoadedClassifier {
    var result = self
    result.source =
      source
      ?? PortableMetadata.Source(framework: weights.card.framework, url: file.url, sha256: file.sha256)
    result.licence = licence ?? weights.card.licence
    if metrics == nil {
      let numbers = ["top1": weights.card.top1, "top5": weights.card.top5].compactMapValues {
        $0.map { $0 / 100 }
      }
      result.metrics = numbers.isEmpty ? nil : numbers
    }
    return result
  }
}

extension LoadedNetwork {
  /// With what the card says of where the weights come from, unless the file said it itself.
  func published(as weights: PublishedWeights, _ file: WeightCache.Entry) -> LoadedNetwork {
    var result = self
    result.metadata.source =
      metadata.source
      ?? PortableMetadata.Source(framework: weights.card.framework, url: file.url, sha256: file.sha256)
    result.metadata.licence = metadata.licence ?? weights.card.licence
    return result
  }
}

extension Zoo {
  /// Takes the weights of a bundle into the cache; what is published under a name must have the published digest.
  ///
  /// Throws `WeightsError` or `DownloadError` naming the first file that is not right.
  public static func add(bundle folder: String) throws -> [WeightCache.Entry] {
    try WeightCache.user().add(bundle: folder) { name, companion in
      let weights = (try? Catalogue.selection(name))?.weights
      guard let companion else { return weights?.digest }
      return weights?.card.companions?.first { $0.file == companion }?.sha256.map { .sha256($0) }
    }
  }
}
