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

/// Runs a script in bash, as a process of its own, and waits for its end.
func shell(_ script: String) throws -> Outcome {
  let process = Process()
  process.executableURL = URL(filePath: "/bin/bash")
  process.arguments = ["-c", script]
  return try withTemporaryFolder { folder in
    // Files, not pipes: a full pipe would have to be read while the process runs.
    let streams = try ["output", "errors"].map { name in
      let path = "\(folder)/\(name)"
      _ = FileManager.default.createFile(atPath: path, contents: nil)
      return (path: path, handle: try FileHandle(forWritingTo: URL(filePath: path)))
    }
    process.standardOutput = streams[0].handle
    process.standardError = streams[1].handle
    process.standardInput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    let texts = try streams.map { try String(contentsOfFile: $0.path, encoding: .utf8) }
    return Outcome(status: process.terminationStatus, output: texts[0], errors: texts[1])
  }
}
