import Aviary
import Foundation
import Testing

@testable import AviaryCLI

@Suite("Training commands")
struct TrainingCommandTests {
  /// Shapes to learn, drawn into a folder that `body` gets.
  private func withShapes(_ body: (_ folder: String) throws -> Void) throws {
    try withTemporaryFolder { folder in
      #expect(aviary("draw", "shapes", "\(folder)/shapes", "--count", "12").status == 0)
      try body(folder)
    }
  }

  private func finetune(_ folder: String, _ output: String, _ more: String...) -> Outcome {
    aviary(
      ["finetune", "lenet", "--data", "\(folder)/shapes", "--output", "\(folder)/\(output)", "--epochs", "3"]
        + more)
  }

  @Test("features of frozen stages are kept, announced, and give the same file as without")
  func features() throws {
    try withShapes { folder in
      let kept = finetune(folder, "a.safetensors", "--freeze", "block1...block2")
      #expect(kept.status == 0, "\(kept.errors)")
      #expect(
        kept.output.contains(
          "what the frozen stages block1...block2 return is computed once for each picture"))
      let anew = finetune(folder, "b.safetensors", "--freeze", "block1...block2", "--no-feature-cache")
      #expect(anew.output.contains("is computed in each epoch"))
      let files = try ["a", "b"].map { try Data(contentsOf: URL(filePath: "\(folder)/\($0).safetensors")) }
      #expect(files[0] == files[1])
      // What is unfrozen later cannot be kept.
      let later = finetune(
        folder, "c.safetensors", "--freeze", "block1...block2", "--unfreeze-at", "2=block2")
      #expect(
        !later.output.contains("is computed") && later.output.contains("epoch 2: block2 learns from here on"))
      let weights = try ["a", "c"].map { try WeightFile.open("\(folder)/\($0).safetensors").archive }
      #expect(weights[0]["conv1.weight"]?.values() == weights[1]["conv1.weight"]?.values())
      #expect(weights[0]["conv2.weight"]?.values() != weights[1]["conv2.weight"]?.values())
    }
  }

  @Test("pictures are mixed, and L-BFGS takes steps of several evaluations")
  func mixedAndSearched() throws {
    try withShapes { folder in
      let mixed = ["mixup", "cutmix"].map {
        finetune(folder, "\($0).safetensors", "--mix", $0, "--batch", "8")
      }
      #expect(mixed.allSatisfy { $0.status == 0 && $0.output.contains("epoch 3") }, "\(mixed)")
      let searched = finetune(folder, "l.safetensors", "--optimizer", "lbfgs", "--batch", "512")
      #expect(searched.status == 0 && searched.output.contains("epoch 3"), "\(searched.errors)")
      #expect(finetune(folder, "m.safetensors", "--mix", "paste").errors.contains("mixup or cutmix"))
      let decayed = finetune(folder, "m.safetensors", "--optimizer", "lbfgs", "--weight-decay", "0.1")
      #expect(decayed.status == 2 && decayed.errors.contains("goes not with --weight-decay"))
    }
  }

  @Test("unfreeze takes back a part of what freeze covers")
  func unfreeze() throws {
    try withShapes { folder in
      let outcome = finetune(
        folder, "a.safetensors", "--freeze", "block1...block2", "--unfreeze", "conv2.bias")
      #expect(outcome.status == 0 && outcome.output.contains("what the frozen stages block1 return"))
      let before = try Zoo.load("lenet").model.stateEntries
      let after = try WeightFile.open("\(folder)/a.safetensors").archive
      for entry in before where entry.name.hasPrefix("conv") {
        #expect((after[entry.name]?.values() == entry.value.values()) == (entry.name != "conv2.bias"))
      }
      #expect(
        finetune(folder, "b.safetensors", "--unfreeze", "block9").errors.contains("there is no stage block9"))
      #expect(
        finetune(folder, "b.safetensors", "--unfreeze-at", "1=block1").errors.contains("an epoch from 2"))
    }
  }

  @Test("a page and event files are written; a page that cannot be is refused before the run")
  func written() throws {
    try withShapes { folder in
      let outcome = finetune(
        folder, "a.safetensors", "--report", "\(folder)/report.html", "--tensorboard", "\(folder)/events",
        "--patience", "1")
      #expect(outcome.status == 0, "\(outcome.errors)")
      let page = try String(contentsOfFile: "\(folder)/report.html", encoding: .utf8)
      #expect(
        page.contains("<polyline") && page.contains("data:image/png;base64,") && page.contains("Confusion"))
      let events = try FileManager.default.contentsOfDirectory(atPath: "\(folder)/events")
      #expect(events.count == 1 && events[0].hasPrefix("events.out.tfevents."))
      let nowhere = finetune(folder, "b.safetensors", "--report", "\(folder)/no/report.html")
      #expect(nowhere.status == 2 && nowhere.errors.contains("there is no folder"))
      #expect(!FileManager.default.fileExists(atPath: "\(folder)/b.safetensors"))
    }
  }

  @Test("sanity and learning rates are looked at without training")
  func looks() throws {
    try withShapes { folder in
      let sanity = finetune(folder, "a.safetensors", "--sanity")
      #expect(
        sanity.status == 0 && sanity.output.contains("learned by heart"), "\(sanity.output)\(sanity.errors)")
      let stuck = finetune(folder, "a.safetensors", "--sanity", "--freeze", "head,block1,block2,hidden")
      #expect(stuck.status == 1 && stuck.output.contains("NOT learned by heart"), "\(stuck.errors)")
      let rates = finetune(folder, "a.safetensors", "--find-learning-rate")
      #expect(rates.status == 0 && rates.output.contains("the loss falls fastest at"), "\(rates.errors)")
      #expect(!FileManager.default.fileExists(atPath: "\(folder)/a.safetensors"))
    }
  }

  @Test("evaluate tells precision, F1 and, with more classes, the five likeliest")
  func evaluate() throws {
    try withShapes { folder in
      _ = finetune(folder, "a.safetensors")
      let words = ["evaluate", "lenet", "--data", "\(folder)/shapes", "--weights", "\(folder)/a.safetensors"]
      let outcome = aviary(words)
      #expect(outcome.output.contains("precision") && outcome.output.contains("mean F1"))
      #expect(!outcome.output.contains("top-5"))
      let json = try JSONSerialization.jsonObject(with: Data(aviary(words + ["--json"]).output.utf8))
      let classes = try #require((json as? [String: Any])?["classes"] as? [[String: Any]])
      #expect(classes.count == 4 && classes.allSatisfy { $0["f1"] != nil })
      #expect(aviary("draw", "digits", "\(folder)/digits", "--count", "3").status == 0)
      #expect(aviary("evaluate", "lenet", "--data", "\(folder)/digits").output.contains("top-5"))
    }
  }

  @Test(
    "finetune takes an optimiser, a schedule, averages and augmentation; another run stands beside it in the page"
  )
  func optimisation() throws {
    try withShapes { folder in
      let scratch = finetune(folder, "s.safetensors", "--from-scratch", "--json")
      #expect(scratch.status == 0, "\(scratch.errors)")
      try scratch.output.write(toFile: "\(folder)/scratch.json", atomically: true, encoding: .utf8)
      let tuned = finetune(
        folder, "t.safetensors", "--optimizer", "adamw", "--schedule", "cosine", "--warmup", "0.1", "--ema",
        "0.9",
        "--clip", "1", "--micro-batch", "5", "--label-smoothing", "0.1", "--layer-decay", "0.8", "--augment",
        "flip",
        "--balance", "--report", "\(folder)/r.html", "--beside", "scratch=\(folder)/scratch.json")
      #expect(tuned.status == 0, "\(tuned.errors)")
      let page = try String(contentsOfFile: "\(folder)/r.html", encoding: .utf8)
      #expect(page.contains("scratch: validation") && page.contains("lenet: validation"))
      for (words, part) in [
        (["--optimizer", "lion"], "--optimizer takes adam"), (["--schedule", "square"], "--schedule takes"),
        (["--augment", "blur"], "--augment takes"),
        (["--from-scratch", "--freeze", "block1"], "goes not with --freeze"),
        (["--schedule", "onecycle", "--warmup", "0.1"], "goes not with --warmup"),
        (["--beside", "x=\(folder)/scratch.json"], "with --report only"),
      ] {
        let outcome = aviary(
          ["finetune", "lenet", "--data", "\(folder)/shapes", "--output", "\(folder)/x.safetensors"] + words)
        #expect(outcome.status == 2 && outcome.errors.contains(part), "\(words): \(outcome.errors)")
      }
    }
  }

  @Test("scenes are drawn in any size, by class, the same for the same seed")
  func scenes() throws {
    try withTemporaryFolder { folder in
      for name in ["a", "b"] {
        let outcome = aviary(
          "draw", "scenes", "\(folder)/\(name)", "--count", "2", "--size", "40", "--shapes", "star,ring")
        #expect(
          outcome.status == 0 && outcome.output.contains("2 classes of 2 pictures"), "\(outcome.errors)")
      }
      let pictures = try ["a", "b"].map { try Image(contentsOf: "\(folder)/\($0)/star/star-1.png") }
      #expect(pictures[0] == pictures[1] && pictures[0].width == 40 && pictures[0].model == .rgb)
      #expect(
        aviary("draw", "scenes", "\(folder)/c", "--shapes", "egg").errors.contains("there is no shape egg"))
      #expect(aviary("draw", "digits", "\(folder)/c", "--size", "40").errors.contains("--size is for scenes"))
    }
  }

  @Test("a recipe that draws its pictures trains without data, and takes none")
  func recipe() throws {
    #expect(
      aviary("train", "vit_scenes", "--data", "x", "--output", "y.safetensors").errors.contains(
        "takes no --data"))
    #expect(aviary("train", "vgg16", "--output", "y.safetensors").errors.contains("no recipe called vgg16"))
    #expect(aviary("train", "lenet", "--output", "y.safetensors").errors.contains("--data is missing"))
  }
}
