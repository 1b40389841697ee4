/// The shells that can be told what this program's command lines are made of.
enum CompletionShell: String, CaseIterable {
  case bash, zsh, fish

  var script: String {
    let commands = CompletionCommandWords.all
    return switch self {
    case .bash: Self.bashScript(commands)
    case .zsh: Self.zshScript(commands)
    case .fish: Self.fishScript(commands)
    }
  }

  // MARK: bash

  private static func bashScript(_ commands: [CompletionCommandWords]) -> String {
    let cases = commands.map { command in
      let valued = command.options.filter { $0.value != nil }
      let values = valued.map { "        --\($0.name)) \(bash(CompletionKind($0.value!))) ;;" }
      let operands = command.operands.indices.map { "        \($0)) \(bash(command.operand($0))) ;;" }
      return """
            \(command.name))
              options="\(command.options.map { "--\($0.name)" }.joined(separator: " "))"
              valued=" \(valued.map { "--\($0.name)" }.joined(separator: " ")) "
              case $1 in
        \((values + operands).joined(separator: "\n"))
                *) \(bash(command.operand(.max))) ;;
              esac ;;
        """
    }
    return """
      # bash completion for aviary; made by 'aviary completion bash'

      # Sets what can follow: of an option's value ($1 is the option) or of an operand ($1 is its number) of the command $2.
      _aviary_kind() {
        options= valued= words= kind=words
        case $2 in
      \(cases.joined(separator: "\n"))
        esac
      }

      _aviary() {
        local options valued words kind command current index operands=0
        current=${COMP_WORDS[COMP_CWORD]}
        COMPREPLY=()
        if ((COMP_CWORD == 1)); then
          COMPREPLY=($(compgen -W "\(commands.map(\.name).joined(separator: " ")) --help --version" -- "$current"))
          return
        fi
        command=${COMP_WORDS[1]}
        _aviary_kind 0 "$command"
        # Operands so far; values of options are none.
        for ((index = 2; index < COMP_CWORD; index++)); do
          if [[ $valued == *" ${COMP_WORDS[index]} "* ]]; then
            ((index++))
          elif [[ ${COMP_WORDS[index]} != --* ]]; then
            ((operands++))
          fi
        done
        if [[ $valued == *" ${COMP_WORDS[COMP_CWORD - 1]} "* ]]; then
          _aviary_kind "${COMP_WORDS[COMP_CWORD - 1]}" "$command"
        elif [[ $current == -* ]]; then
          COMPREPLY=($(compgen -W "$options" -- "$current"))
          return
        else
          _aviary_kind "$operands" "$command"
        fi
        case $kind in
          words) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
          files) mapfile -t COMPREPLY < <(compgen -f -- "$current"); compopt -o filenames 2> /dev/null ;;
          folders) mapfile -t COMPREPLY < <(compgen -d -- "$current"); compopt -o filenames 2> /dev/null ;;
        esac
      }

      complete -F _aviary aviary
      """
  }

  private static func bash(_ kind: CompletionKind) -> String {
    switch kind {
    case .words(let words): "words=\"\(words.joined(separator: " "))\""
    case .files: "kind=files"
    case .folders: "kind=folders"
    case .anything: "words="
    }
  }

  // MARK: zsh

  private static func zshScript(_ commands: [CompletionCommandWords]) -> String {
    let names = commands.map { "    '\(zsh($0.name)):\(zsh($0.summary))'" }.joined(separator: "\n")
    let cases = commands.map { command in
      let options = command.options.map { option in
        "'--\(option.name)[\(zsh(option.help))]"
          + (option.value.map { ":\(zsh($0)):\(zsh(CompletionKind($0)))'" } ?? "'")
      }
      let operands = command.operands.indices.map { "'\($0 + 1):word:\(zsh(command.operand($0)))'" }
      let rest = command.operands.isEmpty ? [] : ["'*:word:\(zsh(command.operand(.max)))'"]
      return "    \(command.name)) _arguments \((options + operands + rest).joined(separator: " ")) ;;"
    }
    return """
      #compdef aviary
      # zsh completion for aviary; made by 'aviary completion zsh'

      _aviary() {
        local -a commands
        commands=(
      \(names)
        )
        if (( CURRENT == 2 )); then
          _describe -t commands 'command' commands
          return
        fi
        local command=$words[2]
        # What follows is completed as if the command were the program.
        shift words
        (( CURRENT-- ))
        case $command in
      \(cases.joined(separator: "\n"))
        esac
      }

      if [[ $funcstack[1] == _aviary ]]; then
        _aviary "$@"
      else
        compdef _aviary aviary
      fi
      """
  }

  private static func zsh(_ kind: CompletionKind) -> String {
    switch kind {
    case .words(let words): "(\(words.joined(separator: " ")))"
    case .files: "_files"
    case .folders: "_files -/"
    case .anything: " "
    }
  }

  /// Text inside of single quotes, in which colons and brackets are not those of the syntax.
  private static func zsh(_ text: String) -> String {
    text.reduce(into: "") { result, character in
      switch character {
      case "'": result += "'\\''"
      case ":", "[", "]", "\\": result += "\\\(character)"
      default: result.append(character)
      }
    }
  }

  // MARK: fish

  private static func fishScript(_ commands: [CompletionCommandWords]) -> String {
    var lines = [
      "# fish completion for aviary; made by 'aviary completion fish'", "complete -c aviary -f",
      "complete -c aviary -n __fish_use_subcommand -l version -d 'print the version'",
    ]
    for command in commands {
      let condition = "-n '__fish_seen_subcommand_from \(command.name)'"
      lines.append(
        "complete -c aviary -n __fish_use_subcommand -a \(command.name) -d '\(fish(command.summary))'")
      for option in command.options {
        let value = option.value.map { " -r\(fish(CompletionKind($0)))" } ?? ""
        lines.append("complete -c aviary \(condition) -l \(option.name)\(value) -d '\(fish(option.help))'")
      }
      for kind in command.operands { lines.append("complete -c aviary \(condition)\(fish(kind))") }
    }
    return lines.joined(separator: "\n")
  }

  private static func fish(_ kind: CompletionKind) -> String {
    switch kind {
    case .words(let words): " -a '\(words.joined(separator: " "))'"
    case .files: " -F"
    case .folders: " -a '(__fish_complete_directories)'"
    case .anything: ""
    }
  }

  private static func fish(_ text: String) -> String {
    text.replacing("\\", with: "\\\\").replacing("'", with: "\\'")
  }
}
