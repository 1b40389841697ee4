import Foundation

@testable import AviaryCLI

/// What a command line came to.
struct Outcome {
  let status: Int32
  let output: String
  let errors: String
}

/// Runs the program in this process.
func aviary(_ words: String...) -> Outcome { aviary(words) }

func aviary(_ words: [String]) -> Outcome {
  let capture = Console.Capture()
  let status = Console.$capture.withValue(capture) { Program.run(words) }
  return Outcome(status: status, output: capture.output, errors: capture.errors)
}

/// A folder that is gone after `body`.
func withTemporaryFolder<Result>(_ body: (_ path: String) throws -> Result) throws -> Result {
  let folder = FileManager.default.temporaryDirectory.appending(path: "aviary-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try body(folder.path)
}
