import Aviary
import Foundation
import Testing

@testable import AviaryCLI

@Suite("Runs that are killed")
struct ResumeTests {
  private let program: String

  init() throws {
    let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    program = URL(filePath: tests).deletingLastPathComponent().appending(path: "aviary").path
    try #require(FileManager.default.isExecutableFile(atPath: program))
  }

  @Test("a run that is killed again and again ends with the file of one that never was")
  func killed() throws {
    try withTemporaryFolder { folder in
      #expect(aviary("draw", "shapes", "\(folder)/shapes", "--count", "12").status == 0)
      let run =
        "'\(program)' finetune lenet --data '\(folder)/shapes' --freeze block1 --epochs 12 --batch 4 --checkpoint-every 1"
      let whole = try shell("\(run) --output '\(folder)/whole.safetensors'")
      #expect(whole.status == 0, "\(whole.errors)")
      for moment in [20, 55, 90, 70, 130, 110] {
        _ = try shell(
          "timeout -s KILL 0.\(moment < 100 ? "0" : "")\(moment) \(run) --resume --output '\(folder)/killed.safetensors'; true"
        )
      }
      let last = try shell("\(run) --resume --output '\(folder)/killed.safetensors'")
      #expect(last.status == 0, "\(last.errors)")
      let files = try ["whole", "killed"].map {
        try Data(contentsOf: URL(filePath: "\(folder)/\($0).safetensors"))
      }
      #expect(files[0] == files[1])
      #expect(!FileManager.default.fileExists(atPath: "\(folder)/killed.checkpoint.safetensors"))
    }
  }

  @Test("so does one of a detector, which chooses and varies at random")
  func detector() throws {
    try withTemporaryFolder { folder in
      let scenes = ["--count", "8", "--objects", "2", "--size", "96", "--shapes", "star,ring"]
      #expect(aviary(["draw", "scenes", "\(folder)/s"] + scenes).status == 0)
      let run =
        "'\(program)' finetune yolov8_scenes --data '\(folder)/s' --epochs 4 --batch 2 --ema 0.9 --augment crop --freeze model.0 --checkpoint-every 1"
      let whole = try shell("\(run) --output '\(folder)/whole.safetensors'")
      #expect(whole.status == 0, "\(whole.errors)")
      for moment in ["0.3", "0.5", "0.7"] {
        _ = try shell(
          "timeout -s KILL \(moment) \(run) --resume --output '\(folder)/killed.safetensors'; true")
      }
      let last = try shell("\(run) --resume --output '\(folder)/killed.safetensors'")
      #expect(last.status == 0, "\(last.errors)")
      let files = try ["whole", "killed"].map {
        try Data(contentsOf: URL(filePath: "\(folder)/\($0).safetensors"))
      }
      #expect(files[0] == files[1])
    }
  }

  @Test("a checkpoint that is there is not overwritten, and goes with the options of its run only")
  func checkpoints() throws {
    try withTemporaryFolder { folder in
      #expect(aviary("draw", "shapes", "\(folder)/shapes", "--count", "6").status == 0)
      let loaded = try Zoo.load("lenet").withHead([4], branch: nil)
      let learner = ClassifierLearner(loaded.model, Adam(learningRate: 1e-4))
      let trainer = Trainer(learner)
      let checkpoint = "\(folder)/a.checkpoint.safetensors"
      struct Killed: Error {}
      trainer.onState = { state in
        let settings: Settings = [
          "epochs": .array([.string("9")]), "data": .array([.string("\(folder)/shapes")]),
        ]
        try TrainingCheckpoint(of: learner, state, settings: settings, model: "lenet").write(to: checkpoint)
        throw Killed()
      }
      let data = TensorDataset(
        inputs: .zeros([8, 1, 28, 28]), labels: [0, 1, 2, 3, 0, 1, 2, 3], classNames: ["a", "b", "c", "d"])
      #expect(throws: Killed.self) { try trainer.fit(data, epochs: 9) }

      func finetune(_ more: String...) -> Outcome {
        aviary(
          ["finetune", "lenet", "--data", "\(folder)/shapes", "--output", "\(folder)/a.safetensors"] + more)
      }
      let kept = finetune()
      #expect(kept.status == 2 && kept.errors.contains("--resume goes on with it"), "\(kept.errors)")
      let other = finetune("--resume", "--epochs", "8")
      #expect(other.status == 2 && other.errors.contains("had another --epochs: 9, now 8"), "\(other.errors)")
      let inspected = aviary("inspect", checkpoint)
      #expect(inspected.status == 0)
      #expect(
        inspected.output.contains(
          "checkpoint of a training run of lenet: epoch 1 of 9, 1 of 9 steps taken, batches of 32"))
      let json = aviary("inspect", checkpoint, "--json")
      #expect(json.output.contains("\"training\"") && json.output.contains("\"steps_taken\"") == false)
      // Data of another length are another run's.
      let longer = finetune("--resume", "--epochs", "9")
      #expect(longer.status == 1 && longer.errors.contains("has 8 examples, 9 epochs"), "\(longer.errors)")
    }
  }
}
