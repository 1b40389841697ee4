import Aviary

/// What a word of a command line can be, as the help says it.
enum CompletionKind: Equatable {
  case words([String])
  case files
  case folders
  /// Numbers and the like.
  case anything

  /// The kind of what the help calls `FILE`, `FOLDER`, `MODEL`, `bash|zsh|fish`, ….
  init(_ placeholder: String) {
    let name = placeholder.filter { $0.isLetter || $0.isNumber || $0 == "|" }
    switch name {
    case "MODEL": self = .words(Catalogue.entries.map(\.name))
    case "FILE", "IMAGE", "IN", "OUT": self = .files
    case "FOLDER": self = .folders
    case _ where name.contains("|"): self = .words(name.split(separator: "|").map(String.init))
    default: self = .anything
    }
  }
}

/// What can follow a command's name.
struct CompletionCommandWords {
  let name: String
  let summary: String
  let options: [Option]
  /// The kinds of the operands in order; the last may be repeated.
  let operands: [CompletionKind]

  static var all: [CompletionCommandWords] {
    Program.commands.map { CompletionCommandWords($0) } + [
      CompletionCommandWords(
        name: "help", summary: "Describes a command.", options: [],
        operands: [.words(Program.commands.map { $0.name })])
    ]
  }

  private init(name: String, summary: String, options: [Option], operands: [CompletionKind]) {
    self.name = name
    self.summary = summary
    self.options = options
    self.operands = operands
  }

  init(_ command: any Command.Type) {
    let words = command.operands.split(separator: " ").map(String.init)
    self.init(
      name: command.name, summary: command.summary,
      options: command.allOptions + [Option("help", nil, "describe the command")],
      operands: words.prefix { !$0.hasPrefix("--") }.map(CompletionKind.init))
  }

  /// The kind of the operand at `position`.
  func operand(_ position: Int) -> CompletionKind {
    operands.isEmpty ? .anything : operands[min(position, operands.count - 1)]
  }
}
