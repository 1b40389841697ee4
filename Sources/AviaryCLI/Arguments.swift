import Aviary
import Foundation

/// One subcommand.
protocol Command: Sendable {
  static var name: String { get }
  static var summary: String { get }
  /// The arguments without a dash, as the help shows them: `MODEL IMAGE...`.
  static var operands: String { get }
  static var options: [Option] { get }
  static var example: String { get }
  static func run(_ arguments: Arguments) throws
}

/// A named argument: `--name VALUE`, or a switch.
struct Option: Sendable {
  let name: String
  /// What the help calls the value; nil for a switch.
  let value: String?
  let help: String

  init(_ name: String, _ value: String? = nil, _ help: String) {
    self.name = name
    self.value = value
    self.help = help
  }

  static let weights = Option(
    "weights", "FILE",
    "a file of weights in any format; without it, those that come with the zoo or were pulled")
  static let classes = Option("classes", "N", "outputs; a number other than the weights' own gets a new head")
  static let channels = Option(
    "channels", "C", "of the input: the first convolution is summed for 1, which makes pictures grey")
  static let size = Option("size", "N", "height and width of the input, where the model allows others")
  static let set = Option(
    "set", "NAME=VALUE", "a setting of the model, or a small input: timesteps=7,612; 'aviary info' lists both"
  )
  static let exact = Option("exact", nil, "direct algorithms only (no Winograd transforms)")
  static let eager = Option("eager", nil, "operation by operation instead of compiled")
  static let precision = Option(
    "precision", "TYPE", "what compiled networks compute in: f32, or bf16 with sums in f32")
  static let json = Option("json", nil, "print JSON")
  static let allowNonfinite = Option(
    "allow-nonfinite", nil, "take weights with values that are not finite, and negative variances, and say so"
  )
  static let ignoreUnexpected = Option(
    "ignore-unexpected", nil, "leave out tensors that the model does not have, and say so")
}

extension Command {
  /// With those that every command has that takes weights.
  static var allOptions: [Option] {
    options.contains { $0.name == Option.weights.name }
      ? options + [.allowNonfinite, .ignoreUnexpected] : options
  }

  static var help: String {
    let options = allOptions
    let titles = options.map { "--\($0.name)" + ($0.value.map { " \($0)" } ?? "") }
    let width = titles.map(\.count).max() ?? 0
    let lines = zip(titles, options).map { "  \($0.padded(to: width))  \($1.help)" }
    return """
      aviary \(name) \(operands)\(options.isEmpty ? "" : " [OPTIONS]")

      \(summary)

      \(lines.joined(separator: "\n"))

      Example: \(example)
      """
  }
}

/// A command line that makes no sense.
struct UsageError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// The words after a command's name, taken apart.
struct Arguments {
  let operands: [String]
  private let values: [String: [String]]
  private let usage: String

  /// - Throws: ``UsageError`` for an option the command does not have, or one without its value.
  init(_ words: [String], for command: any Command.Type) throws {
    var operands: [String] = []
    var values: [String: [String]] = [:]
    var rest = words[...]
    while let word = rest.popFirst() {
      if word == "--" {
        operands += rest
        break
      }
      guard word.hasPrefix("--"), word.count > 2 else {
        operands.append(word)
        continue
      }
      let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1).map(String.init)
      let name = parts.first ?? ""
      guard let option = command.allOptions.first(where: { $0.name == name }) else {
        let nearest = nearestName(to: name, in: command.allOptions.map(\.name))
        throw UsageError(
          "\(command.name) has no option --\(name)" + (nearest.map { "; did you mean --\($0)?" } ?? ""))
      }
      if option.value == nil {
        guard parts.count == 1 else { throw UsageError("--\(name) takes no value") }
        values[name, default: []].append("")
      } else if parts.count == 2 {
        values[name, default: []].append(parts[1])
      } else {
        // The next option is no value; who means it writes --name=--value.
        guard let value = rest.popFirst(), !command.allOptions.contains(where: { "--\($0.name)" == value })
        else { throw UsageError("--\(name) needs a value: \(option.value!)") }
        values[name, default: []].append(value)
      }
    }
    usage = "aviary \(command.name) \(command.operands)"
    guard !operands.contains("") else { throw UsageError("an argument is empty; usage: \(usage)") }
    if let empty = values.first(where: { values in
      values.value.contains("") && command.allOptions.first { $0.name == values.key }?.value != nil
    }) {
      throw UsageError("--\(empty.key) has an empty value; usage: \(usage)")
    }
    self.operands = operands
    self.values = values
  }

  /// All options with their values.
  var given: [String: [String]] { values }

  func has(_ name: String) -> Bool { values[name] != nil }
  func string(_ name: String) -> String? { values[name]?.last }

  /// A file of weights or arrays, which may come through a pipe.
  func file(_ name: String) throws -> String? { try string(name).map(PipedFile.weights) }

  func strings(_ name: String) -> [String] { values[name] ?? [] }

  func required(_ name: String) throws -> String {
    guard let value = string(name) else { throw UsageError("--\(name) is missing; usage: \(usage)") }
    return value
  }

  /// A whole number in a range.
  func integer(_ name: String, default value: Int, in range: ClosedRange<Int>) throws -> Int {
    guard let text = string(name) else { return value }
    guard let number = Int(text), range.contains(number) else {
      throw UsageError(
        "--\(name) takes a whole number from \(range.lowerBound) to \(range.upperBound), not '\(text)'")
    }
    return number
  }

  func number(_ name: String, default value: Float, in range: ClosedRange<Float>) throws -> Float {
    guard let text = string(name) else { return value }
    guard let number = Float(text), range.contains(number) else {
      throw UsageError(
        "--\(name) takes a number from \(range.lowerBound) to \(range.upperBound), not '\(text)'")
    }
    return number
  }

  /// What `--classes`, `--channels` and `--size` ask for.
  var adaptation: Adaptation {
    get throws {
      func number(_ name: String, _ range: ClosedRange<Int>) throws -> Int? {
        has(name) ? try integer(name, default: 0, in: range) : nil
      }
      return Adaptation(
        classes: try number("classes", 1...1_000_000), channels: try number("channels", 1...4096),
        side: try number("size", 1...16_384))
    }
  }

  /// Exactly `count` operands.
  func operands(_ count: Int) throws -> [String] {
    guard operands.count == count else {
      throw UsageError("\(operands.count) arguments given, \(count) expected; usage: \(usage)")
    }
    return operands
  }

  /// The first operand and at least one more.
  func firstAndRest() throws -> (first: String, rest: [String]) {
    guard operands.count >= 2 else { throw UsageError("arguments are missing; usage: \(usage)") }
    return (operands[0], Array(operands.dropFirst()))
  }
}
