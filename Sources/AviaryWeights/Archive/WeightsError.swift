import AviaryTensors

/// What is wrong with a file of weights, a name map or a set of tensors, in one sentence for a person.
public struct WeightsError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What a program may want to decide by.
  public enum Kind: String, Sendable {
    /// The file is missing or may not be read.
    case unreadable
    /// The file ends before its own header says.
    case truncated
    /// The content breaks the rules of its format.
    case malformed
    /// The content keeps the rules but asks for something no honest file needs: bombs, links to other files.
    case refused
    /// A format, element type or feature that is not read or written.
    case unsupported
    /// Values are infinite or not numbers, or would be in the type they are to be stored in.
    case nonFinite
    /// Names or shapes differ from what is wanted.
    case mismatched
    /// The file cannot be written.
    case unwritable
  }

  /// What went wrong, for a program.
  public let kind: Kind
  /// The file concerned, when there is one.
  public let file: String?
  /// What went wrong, for a person; ``description`` puts the file before it.
  public let reason: String

  /// An error about the file at the path `file`, or about no file; `reason` should not name it again.
  public init(_ kind: Kind, _ reason: String, file: String? = nil) {
    self.kind = kind
    self.file = file
    self.reason = reason
  }

  public var description: String {
    let text = kind == .truncated ? "truncated: \(reason)" : reason
    return file.map { "\($0): \(text)" } ?? text
  }

  /// The same error, said of `path` unless it already names a file.
  func inFile(_ path: String) -> WeightsError { WeightsError(kind, reason, file: file ?? path) }

  /// The same error, said of a part of a file: a member of a zip file, a dataset.
  func inPart(_ name: String) -> WeightsError { WeightsError(kind, "\(name): \(reason)", file: file) }
}

/// Runs `body`; every error it throws leaves as a ``WeightsError`` that names `path`.
func naming<Result>(_ path: String, _ body: () throws -> Result) throws -> Result {
  do {
    return try body()
  } catch let error as WeightsError {
    throw error.inFile(path)
  } catch let failure as MappedFile.Failure {
    throw WeightsError(.unreadable, failure.reason, file: path)
  }
}

extension String {
  /// The text cut, and with control characters as their numbers: names in messages come from files nobody vouches for.
  public var shown: String {
    let length = 120
    var result = ""
    for scalar in unicodeScalars.prefix(length) {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator:
        result += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + (unicodeScalars.dropFirst(length).isEmpty ? "" : "…")
  }

  /// As ``shown``, in quotes.
  var quoted: String { "\"\(shown)\"" }
}
