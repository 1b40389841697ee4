import Aviary
import Foundation

enum PullCommand: Command {
  static let name = "pull"
  static let summary =
    "Downloads published weights into the cache, checks them, and from then on uses them where no --weights are given."
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
  }

  static func run(_ arguments: Arguments) throws {
    guard !arguments.operands.isEmpty else { throw UsageError("which model? usage: aviary pull \(operands)") }
    if arguments.has("offline"), arguments.has("force") {
      throw UsageError(
        "--offline downloads nothing and --force downloads in any case: only one of them can be")
    }
    var results: [Result] = []
    for name in arguments.operands {
      let (weights, file) = try pull(name, arguments)
      results.append(
        Result(
          name: file.name, path: file.path, bytes: file.byteCount, sha256: file.sha256, url: file.url,
          isVerified: weights.digest != nil, licence: weights.card.licence, top1: weights.card.top1))
      if !arguments.has("json") { Console.print(text(results.last!)) }
    }
    if arguments.has("json") { try Console.printJSON(results) }
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
      report: { event in
        switch event {
        case .received(let done, let total):
          bar.update(name, done: done, total: total ?? 0, unit: .bytes)
        case .checking(let done, let total):
          bar.update("check \(name)", done: done, total: total, unit: .bytes)
        case .waiting(let seconds, let reason):
          bar.finish()
          Console.printError("\(reason); trying again in \(String(format: "%.1f", seconds)) s")
        }
      })
  }

  private static func text(_ result: Result) -> String {
    let digest =
      result.isVerified
      ? "equal to the published digest" : "no digest is published: this file's is kept from now on"
    let accuracy = result.top1.map { ", top-1 \($0) %" } ?? ""
    return """
      \(result.name): \(ProgressBar.Unit.bytes.text(Double(result.bytes))), \(result.licence)\(accuracy)
      \(result.path)
      SHA-256 \(result.sha256), \(digest)
      """
  }
}
