import Aviary
import Foundation
import Testing

/// The program as a process of its own: its streams, its memory, its pipes.
@Suite("The program's process")
struct ProcessTests {
  /// Built together with the tests.
  private let program: String

  init() throws {
    let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    program = URL(filePath: tests).deletingLastPathComponent().appending(path: "aviary").path
    try #require(FileManager.default.isExecutableFile(atPath: program))
  }

  private func run(_ script: String) throws -> Outcome {
    try shell("aviary() { '\(program)' \"$@\"; }\n\(script)")
  }

  @Test("output that nobody takes: a sentence and the status 1, or silence for a reader who left")
  func streams() throws {
    let full = try run("aviary list > /dev/full")
    #expect(full.status == 1)
    #expect(full.errors == "aviary: cannot write to standard output: No space left on device\n")
    let closed = try run("aviary list >&-")
    #expect(closed.status == 1)
    #expect(closed.errors == "aviary: cannot write to standard output: Bad file descriptor\n")
    #expect(try run("aviary list 2>&-").output.contains("resnet50"))
    let left = try run("aviary list | head -n 1")
    #expect(left.output.hasPrefix("classification") && left.errors.isEmpty)
    let ignored = try run("trap '' PIPE; { sleep 0.3; aviary list; echo $? >&2; } | true")
    #expect(ignored.errors == "1\n")
  }

  @Test("a file opened by a program without streams is not written into")
  func closedStreams() throws {
    try withTemporaryFolder { folder in
      let outcome = try run(
        "aviary convert '\(try Self.lenet(folder))' '\(folder)/out.npz' >&- 2>&-; aviary inspect '\(folder)/out.npz' | tail -n 3"
      )
      #expect(outcome.output.contains("model: lenet"), "\(outcome)")
    }
  }

  private static func lenet(_ folder: String) throws -> String {
    let path = "\(folder)/lenet.safetensors"
    try Zoo.load("lenet").save(to: path)
    return path
  }

  @Test("-- ends the options", arguments: ["--top.png", "-h", "--help"])
  func endOfOptions(name: String) throws {
    try withTemporaryFolder { folder in
      #expect(aviary("draw", "digits", folder, "--count", "1").status == 0)
      let outcome = try run(
        "cd '\(folder)'; cp 4/4-0.png ./\(name); aviary predict lenet --top 1 -- \(name)")
      #expect(outcome.status == 0 && outcome.output.hasPrefix("\(name)\n"), "\(outcome.errors)")
    }
  }

  @Test("too little memory: a sentence and the status 1", arguments: [200_000, 400_000, 700_000, 900_000])
  func memory(kibibytes: Int) throws {
    let outcome = try run("ulimit -v \(kibibytes); aviary bench vgg16 --repeat 1")
    #expect(outcome.status == 1)
    #expect(outcome.errors.hasPrefix("aviary: out of memory"), "\(outcome.errors)")
    #expect(outcome.errors.split(separator: "\n").count == 1)
  }

  @Test("a picture that memory is refused for does not keep others from being read")
  func largePicture() throws {
    try withTemporaryFolder { folder in
      #expect(aviary("draw", "digits", "\(folder)/digits", "--count", "1").status == 0)
      let large = "\(folder)/large.png"
      try Image(width: 8000, height: 8000, model: .grey, pixels: .init(repeating: 200, count: 64_000_000))
        .write(to: large)
      let outcome = try run(
        "ulimit -v 600000; aviary predict lenet --top 1 '\(large)' '\(folder)/digits/7/7-0.png'")
      #expect(outcome.status == 1 && outcome.output.hasSuffix("%  7\n"), "\(outcome)")
      #expect(outcome.errors == "aviary: cannot read \(large): there is no memory for 8000×8000 pixels\n")
    }
  }

  @Test("weights and pictures through pipes, and pipes that nobody writes into")
  func pipes() throws {
    try withTemporaryFolder { folder in
      #expect(aviary("draw", "digits", "\(folder)/digits", "--count", "1").status == 0)
      let (picture, weights) = ("\(folder)/digits/7/7-0.png", try Self.lenet(folder))
      let direct = try run("aviary predict lenet --weights '\(weights)' '\(picture)' | tail -n 5").output
      for words in [
        "- < '\(picture)'", "/dev/stdin < '\(picture)'", "<(cat '\(picture)')",
        "--weights <(cat '\(weights)') '\(picture)'", "--weights - '\(picture)' < '\(weights)'",
      ] {
        let outcome = try run("aviary predict lenet \(words) | tail -n 5")
        #expect(outcome.output == direct, "\(words): \(outcome.errors)")
      }
      #expect(try run("cat '\(picture)' | aviary predict lenet - | tail -n 5").output == direct)
      #expect(try run("cat '\(weights)' | aviary inspect -").output.contains("standard input: Aviary"))
      #expect(try run("aviary inspect - < /dev/zero").errors.contains("not a file of weights"))
      #expect(try run("aviary inspect /dev/zero").errors.contains("it is not a regular file"))
      #expect(try run("cat /dev/zero | aviary inspect -").errors.contains("not a file of weights"))
      #expect(try run("cat /dev/zero | aviary predict lenet -").errors.contains("it is no PNG"))
      let silent = try run("mkfifo '\(folder)/silent.png'; aviary predict lenet '\(folder)/silent.png'")
      #expect(silent.status == 1 && silent.errors.contains("silent.png: nothing comes from it"))
    }
  }
}
