import Aviary
import AviaryTensors
import Foundation

/// The program: finds the command, runs it, and turns errors into one sentence and an exit status.
enum Program {
  static let version = "0.1.0"

  static let commands: [any Command.Type] = [
    ListCommand.self, InfoCommand.self, InspectCommand.self, RunCommand.self, PredictCommand.self,
    SegmentCommand.self, DetectCommand.self, CaptionCommand.self, StylizeCommand.self, SampleCommand.self,
    WriteCommand.self, TranslateCommand.self, WordsCommand.self,
    EvaluateCommand.self,
    ConvertCommand.self, VerifyCommand.self, FinetuneCommand.self, TrainCommand.self, DrawCommand.self,
    BenchCommand.self, PullCommand.self,
    CacheCommand.self, BundleCommand.self, CompletionCommand.self,
  ]

  /// Runs a command line and returns the exit status: 0, 1 for an error, 2 for a command line that makes no sense.
  static func run(_ words: [String]) -> Int32 {
    do {
      try perform(words)
      return words.isEmpty ? 2 : 0
    } catch is ToldFailure {
      return 1
    } catch let error as UsageError {
      Console.printError("aviary: \(error.description)")
      return 2
    } catch {
      Console.printError("aviary: \(sentence(error))")
      return 1
    }
  }

  private static func perform(_ words: [String]) throws {
    guard let name = words.first else { return Console.print(overview) }
    let rest = Array(words.dropFirst())
    switch name {
    case "--help", "-h": Console.print(overview)
    case "help": Console.print(try rest.first.map { try command($0).help } ?? overview)
    case "--version", "-V": Console.print("aviary \(version)")
    default:
      let command = try command(name)
      if rest.prefix(while: { $0 != "--" }).contains(where: { ["--help", "-h"].contains($0) }) {
        return Console.print(command.help)
      }
      try command.run(try Arguments(rest, for: command))
    }
  }

  private static func command(_ name: String) throws -> any Command.Type {
    if let command = commands.first(where: { $0.name == name }) { return command }
    let nearest = nearestName(to: name, in: commands.map { $0.name } + ["help"])
    throw UsageError(
      "there is no command \(name)" + (nearest.map { "; did you mean \($0)?" } ?? ":")
        + " 'aviary help' shows all")
  }

  private static func sentence(_ error: any Error) -> String {
    guard let error = error as? CocoaError else { return "\(error)" }
    return (error.filePath ?? error.url?.path).map { "\($0): \(error.systemReason)" } ?? error.systemReason
  }

  private static var overview: String {
    let width = commands.map { $0.name.count }.max() ?? 0
    let lines = commands.map { "  \($0.name.padded(to: width))  \($0.summary)" }
    return """
      aviary: a model zoo with a portable weight format

      aviary COMMAND [ARGUMENTS]

      \(lines.joined(separator: "\n"))

      'aviary help COMMAND' describes one. Errors go to stderr with an exit status other than 0.
      """
  }
}

/// Something went wrong and was told on stderr already, beside results that are there.
struct ToldFailure: Error {}
