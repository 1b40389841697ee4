import Aviary
import Foundation

enum PullCommand: Command {
  static let name = "pull"
  static let summary =
    "Downloads published weights into the cache, checks them, and from then on uses them where no --weights are given. Of hf:OWNER/NAME[@REVISION], a repository on Hugging Face, the files of weights and settings, for --weights."
  static let operands = "MODEL..."
  static let options = [
    Option(
      "mirror", "URL", "fetch from here instead of the publisher's address, with the same paths below it"),
    Option("offline", nil, "download nothing: an error unless the weights are in the cache and whole"),
    Option("force", nil, "download even what is in the cache"), Option.json,
  ]
  static let example = "aviary pull resnet50.keras_v1"

  private struct Result: Encodable {
    let name: String
    let path: String
    let bytes: Int
    let sha256: String
    let url: String?
    /// Whether the publisher gives a digest, which was checked.
    let isVerified: Bool
    let licence: String
    let top1: Double?
    /// Files that belong to it.
    var companions: [Companion]?

    struct Companion: Encodable {
      let path: String
      let bytes: Int
      let sha256: String
      /// Whether its publisher gives a digest, which was checked.
      let isVerified: Bool
    }
  }

  static func run(_ arguments: Arguments) throws {
    guard !arguments.operands.isEmpty else { throw UsageError("which model? usage: aviary pull \(operands)") }
    if arguments.has("offline"), arguments.has("force") {
      throw UsageError(
        "--offline downloads nothing and --force downloads in any case: only one of them can be")
    }
    var results: [Result] = []
    var repositories: [Repository] = []
    for name in arguments.operands {
      if name.hasPrefix(HuggingFaceRepository.prefix) {
        repositories.append(Repository(name, try pullRepository(name, arguments)))
        if !arguments.has("json") { Console.print(text(repositories.last!)) }
        continue
      }
      let (weights, file) = try pull(name, arguments)
      results.append(
        Result(
          name: file.name, path: file.path, bytes: file.byteCount, sha256: file.sha256, url: file.url,
          isVerified: weights.digest != nil, licence: weights.card.licence, top1: weights.card.top1,
          companions: companions(weights, file)))
      if !arguments.has("json") { Console.print(text(results.last!)) }
    }
    guard arguments.has("json") else { return }
    if repositories.isEmpty { return try Console.printJSON(results) }
    if results.isEmpty { return try Console.printJSON(repositories) }
    try Console.printJSON(Both(models: results, repositories: repositories))
  }

  /// Nil where none belong to the weights.
  private static func companions(
    _ weights: PublishedWeights, _ file: WeightCache.Entry
  ) -> [Result.Companion]? {
    if file.companions.isEmpty { return nil }
    return file.companions.map { companion in
      let published = weights.card.companions?.first { $0.file == companion.file }
      return Result.Companion(
        path: "\(file.companionFolder)/\(companion.file)", bytes: companion.byteCount,
        sha256: companion.sha256, isVerified: published?.sha256 != nil)
    }
  }

  private struct Both: Encodable {
    let models: [Result]
    let repositories: [Repository]
  }

  /// What was fetched of a repository.
  private struct Repository: Encodable {
    let name: String
    let folder: String
    let files: [String]
    let bytes: Int
    let leftOut: [String]

    init(_ name: String, _ found: WeightCache.Repository) {
      self.name = name
      (folder, files, bytes, leftOut) = (found.folder, found.files, found.byteCount, found.leftOut)
    }
  }

  private static func pullRepository(
    _ name: String, _ arguments: Arguments
  ) throws -> WeightCache.Repository {
    let bar = ProgressBar()
    defer { bar.finish() }
    return try WeightCache.user().pull(
      try HuggingFaceRepository(parsing: name), server: arguments.string("mirror"),
      isOffline: arguments.has("offline"), isForced: arguments.has("force"),
      waiting: { Console.printError("another process is fetching \(name): waiting for it") },
      report: { show($1, of: $0, bar) })
  }

  private static func text(_ repository: Repository) -> String {
    let others =
      repository.leftOut.isEmpty ? "" : "\nleft out: \(repository.leftOut.joined(separator: ", "))"
    return """
      \(repository.name): \(ProgressBar.Unit.bytes.text(Double(repository.bytes))), each file as its server states it\(others)
      \(repository.files.map { "\(repository.folder)/\($0)" }.joined(separator: "\n"))
      """
  }

  private static func pull(
    _ name: String, _ arguments: Arguments
  ) throws -> (weights: PublishedWeights, file: WeightCache.Entry) {
    let bar = ProgressBar()
    defer { bar.finish() }
    return try Zoo.pull(
      name, mirror: arguments.string("mirror"), isOffline: arguments.has("offline"),
      isForced: arguments.has("force"),
      waiting: { Console.printError("another process is fetching \(name): waiting for it") },
      report: { show($0, of: name, bar) })
  }

  private static func show(_ event: Download.Event, of name: String, _ bar: ProgressBar) {
    switch event {
    case .received(let done, let total):
      bar.update(name, done: done, total: total ?? 0, unit: .bytes)
    case .checking(let done, let total):
      bar.update("check \(name)", done: done, total: total, unit: .bytes)
    case .waiting(let seconds, let reason):
      bar.finish()
      Console.printError("\(reason); trying again in \(String(format: "%.1f", seconds)) s")
    }
  }

  private static func text(_ result: Result) -> String {
    let digest =
      result.isVerified
      ? "equal to the published digest" : "no digest is published: this file's is kept from now on"
    let accuracy = result.top1.map { ", top-1 \($0) %" } ?? ""
    let companions = (result.companions ?? []).map { companion in
      let check = companion.isVerified ? "" : ", its length and digest are not published: unchecked"
      return "\n\(companion.path), \(ProgressBar.Unit.bytes.text(Double(companion.bytes)))\(check)"
    }
    return """
      \(result.name): \(ProgressBar.Unit.bytes.text(Double(result.bytes))), \(result.licence)\(accuracy)
      \(result.path)
      SHA-256 \(result.sha256), \(digest)\(companions.joined())
      """
  }
}
