import Foundation
import Testing

@testable import AviaryCLI

@Suite("Completion")
struct CompletionTests {
  /// What bash would offer for the last of `words`.
  private func offers(_ words: String..., in folder: String = "/") throws -> [String] {
    let quoted = words.map { "'\($0)'" }.joined(separator: " ")
    let script = """
      \(aviary("completion", "bash").output)
      cd '\(folder)'
      COMP_WORDS=(\(quoted))
      COMP_CWORD=\(words.count - 1)
      $(complete -p aviary | sed 's/.*-F \\([^ ]*\\).*/\\1/')
      printf '%s\\n' "${COMPREPLY[@]}"
      """
    let outcome = try shell(script)
    #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
    return outcome.output.split(separator: "\n").map(String.init)
  }

  @Test("bash: commands, options, models, actions, files and folders")
  func bash() throws {
    #expect(try offers("aviary", "pre") == ["predict"])
    #expect(try Set(offers("aviary", "")).isSuperset(of: Program.commands.map { $0.name } + ["help"]))
    #expect(try offers("aviary", "predict", "--wei") == ["--weights"])
    #expect(try offers("aviary", "predict", "resnet5") == ["resnet50", "resnet50_v2", "resnet56"])
    #expect(try offers("aviary", "help", "insp") == ["inspect"])
    #expect(try offers("aviary", "cache", "v") == ["verify"])
    #expect(try offers("aviary", "completion", "").sorted() == ["bash", "fish", "zsh"])
    #expect(try offers("aviary", "predict", "--top", "5").isEmpty)
    #expect(try offers("aviary", "pull", "vgg19", "vgg1").count == 8)
    try withTemporaryFolder { folder in
      for name in ["weights a.h5", "weights b.h5"] {
        try Data().write(to: URL(filePath: "\(folder)/\(name)"))
      }
      try FileManager.default.createDirectory(atPath: "\(folder)/weighty", withIntermediateDirectories: true)
      #expect(
        try offers("aviary", "inspect", "weights", in: folder).sorted() == ["weights a.h5", "weights b.h5"])
      #expect(
        try offers("aviary", "predict", "lenet", "--weights", "weights a", in: folder) == ["weights a.h5"])
      #expect(
        try offers("aviary", "predict", "--top", "1", "lenet", "weights b", in: folder) == ["weights b.h5"])
      #expect(try offers("aviary", "finetune", "lenet", "--data", "we", in: folder) == ["weighty"])
    }
  }

  /// Whether a shell is installed here.
  private func has(_ name: String) throws -> Bool { try shell("command -v \(name)").status == 0 }

  @Test("zsh takes the script, and so does fish")
  func others() throws {
    try withTemporaryFolder { folder in
      for name in ["zsh", "fish"] {
        let script = "\(folder)/completion.\(name)"
        try Data((aviary("completion", name).output + "\n").utf8).write(to: URL(filePath: script))
        guard try has(name) else { continue }
        let outcome = try shell("\(name) -n '\(script)'")
        #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
      }
      if try has("fish") {
        let offers = try shell(
          "fish --no-config -c \"source '\(folder)/completion.fish'; complete -C 'aviary cache v'\"")
        #expect(offers.output.contains("verify"), "\(offers)")
      }
    }
  }

  @Test("every option of every command is in every script")
  func everything() {
    for name in CompletionShell.allCases.map(\.rawValue) {
      let script = aviary("completion", name).output
      for command in Program.commands {
        for option in command.allOptions { #expect(script.contains(option.name)) }
      }
    }
    #expect(aviary("completion", "tcsh").status == 2)
  }
}
