#if compiler(>=6.2)
  import CSignals
  import Foundation
  import Testing

  @testable import AviaryWeights

  /// Programs that a signal ends, each in a process of its own.
  @Suite("Interruptions")
  struct InterruptionTests {
    @Test(
      "a file that is being written is gone when a signal ends the program",
      arguments: [SIGINT, SIGTERM, SIGHUP])
    func removesPartialFiles(number: Int32) async throws {
      let folder = FileManager.default.temporaryDirectory.appending(path: "aviary-\(UUID().uuidString)").path
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(atPath: folder) }
      try Data([1]).write(to: URL(fileURLWithPath: folder + "/kept"))
      let result = await #expect(processExitsWith: .failure) {
        [folder = folder as String, number = number as Int32] in
        // The test runner ignores some of them.
        signal(number, SIG_DFL)
        remove_guarded_files_on_signals()
        try AtomicFile.write(to: folder + "/whole") { try $0.append([2]) }
        try AtomicFile.write(to: folder + "/kept") { file in
          try file.append([3])
          // To a thread that takes signals, which those of a task may not do.
          kill(getpid(), number)
          sleep(10)
        }
      }
      #expect(result?.exitStatus == .signal(number))
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == ["kept", "whole"])
      #expect(FileManager.default.contents(atPath: folder + "/kept") == Data([1]))
    }
  }
#endif
