enum CompletionCommand: Command {
  static let name = "completion"
  static let summary =
    "Prints what makes a shell complete this program's commands, options, models and files."
  static let operands = "bash|zsh|fish"
  static let options: [Option] = []
  static let example = "aviary completion bash > ~/.local/share/bash-completion/completions/aviary"

  static func run(_ arguments: Arguments) throws {
    let name = try arguments.operands(1)[0]
    guard let shell = CompletionShell(rawValue: name) else {
      throw UsageError("aviary completion takes bash, zsh or fish, not \(name)")
    }
    Console.print(shell.script)
  }
}
