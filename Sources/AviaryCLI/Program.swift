import Aviary
import Foundation

/// The program: finds the command, runs it, and turns errors into one sentence and an exit status.
enum Program {
  static let version = "0.1.0"

  static let commands: [any Command.Type] = [
    ListCommand.self, InfoCommand.self, InspectCommand.self, RunCommand.self, PredictCommand.self,
    EvaluateCommand.self, ConvertCommand.self, VerifyCommand.self, FinetuneCommand.self, TrainCommand.self,
    DrawCommand.self,
    BenchCommand.self, PullCommand.self, CacheCommand.self, BundleCommand.self,
  ]

  /// Runs a command line and returns the exit status: 0, 1 for an error, 2 for a command line that makes no sense.
  static func run(_ words: [String]) -> Int32 {
    do {
      guard let name = words.first, !["help", "--help", "-h"].contains(name) else {
        Console.print(overview)
        return words.isEmpty ? 2 : 0
      }
      if name == "--version" {
        Console.print("aviary \(version)")
        return 0
      }
      guard let command = commands.first(where: { $0.name == name }) else {
        let nearest = nearestName(to: name, in: commands.map { $0.name }) ?? "help"
        throw UsageError("there is no command \(name); did you mean \(nearest)? 'aviary help' shows all")
      }
      let rest = Array(words.dropFirst())
      if rest.contains("--help") || rest.contains("-h") {
        Console.print(command.help)
        return 0
      }
      try command.run(try Arguments(rest, for: command))
      return 0
    } catch let error as UsageError {
      Console.printError("aviary: \(error.description)")
      return 2
    } catch let error as CocoaError {
      Console.printError("aviary: \(error.localizedDescription)\(error.filePath.map { ": \($0)" } ?? "")")
      return 1
    } catch {
      Console.printError("aviary: \(error)")
      return 1
    }
  }

  private static var overview: String {
    let width = commands.map { $0.name.count }.max() ?? 0
    let lines = commands.map { "  \($0.name.padded(to: width))  \($0.summary)" }
    return """
      aviary: a model zoo with a portable weight format

      aviary COMMAND [ARGUMENTS]

      \(lines.joined(separator: "\n"))

      'aviary COMMAND --help' describes one. Errors go to stderr with an exit status other than 0.
      """
  }
}
