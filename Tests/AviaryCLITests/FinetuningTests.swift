import Aviary
import Foundation
import Testing

@testable import AviaryCLI

@Suite("Fine-tuning of segmenters and detectors")
struct FinetuningTests {
  /// Scenes of two shapes to learn, drawn into a folder.
  private func withScenes(
    _ count: Int = 24, shapes: String = "star,ring", size: Int = 32,
    _ body: (_ folder: String) throws -> Void
  ) throws {
    try withTemporaryFolder { folder in
      let drawn = aviary(
        "draw", "scenes", "\(folder)/s", "--count", "\(count)", "--objects", "3", "--shapes", shapes,
        "--size",
        "\(size)")
      #expect(drawn.status == 0, "\(drawn.errors)")
      try body(folder)
    }
  }

  private func finetune(_ name: String, _ data: String, _ output: String, _ more: String...) -> Outcome {
    aviary(["finetune", name, "--data", data, "--output", output] + more)
  }

  /// A number of the validation after each epoch, as `--json` prints it.
  private func validation(_ metric: String, of outcome: Outcome) throws -> [Double] {
    try outcome.records().compactMap { ($0["validation"] as? [String: Any])?[metric] as? Double }
  }

  @Test("a U-Net learns the pixels of other shapes, with its body as it was where that is frozen")
  func segmenter() throws {
    try withScenes { folder in
      let output = "\(folder)/u.safetensors"
      let outcome = finetune(
        "unet_scenes", "\(folder)/s", output, "--epochs", "6", "--learning-rate", "0.02", "--freeze",
        "inc,down*.maxpool_conv", "--augment", "flip", "--class-weights", "1,2,2", "--loss",
        "cross-entropy+dice",
        "--report", "\(folder)/r.html", "--json")
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(
        outcome.errors.contains("3 labels (n_classes); with first values: outc.conv.weight, outc.conv.bias"))
      let iou = try validation("mean_iou", of: outcome)
      #expect(iou.count == 6 && iou.max()! > iou[0] && iou.max()! > 0.25, "\(iou)")
      let segmenter = try Zoo.load(Segmenter.self, "unet_scenes", weights: output)
      #expect(segmenter.labels == ["background", "star", "ring"])
      let (before, after) = (
        try Zoo.network("unet_scenes").network, try Zoo.network("unet_scenes", weights: output).network
      )
      for (old, new) in zip(before.stateEntries, after.stateEntries) {
        let isFrozen = old.name.hasPrefix("inc") || old.name.hasPrefix("down")
        if isFrozen { #expect(old.value.values() == new.value.values(), "\(old.name)") }
      }
      #expect(try String(contentsOfFile: "\(folder)/r.html", encoding: .utf8).contains("shares of pixels"))
    }
  }

  @Test(
    "masks are labels, PASCAL VOC's colours, or 0 and 255; objects of a COCO file are classes of pixels too")
  func masks() throws {
    try withScenes(8) { folder in
      func run(_ data: String, _ more: String...) -> Outcome {
        aviary(
          ["finetune", "unet_scenes", "--data", data, "--output", "\(folder)/o.safetensors", "--epochs", "1"]
            + more)
      }
      let labels = run("\(folder)/s", "--augment", "crop", "--loss", "focal")
      #expect(
        labels.output.contains("3 classes, as the masks' highest label has it, the masks read as labels"))
      #expect(labels.output.contains("background 9") && labels.output.contains("ring "))
      for kind in ["colours", "binary"] {
        try FileManager.default.copyItem(atPath: "\(folder)/s", toPath: "\(folder)/\(kind)")
        try FileManager.default.removeItem(atPath: "\(folder)/\(kind)/instances.json")
        for mask in PictureFolder("\(folder)/\(kind)/masks").pictures {
          let map = try LabelMap(try Image(contentsOf: mask))
          try (kind == "colours" ? map.coloured() : map.mask()).write(to: mask)
        }
      }
      let colours = run("\(folder)/colours", "--labels", "nothing,one,two")
      #expect(
        colours.output.contains("3 classes, as --labels names them, the masks read as colours of PASCAL VOC"),
        "\(colours.errors)")
      #expect(
        try Zoo.network("unet_scenes", weights: "\(folder)/o.safetensors").metadata.labels == [
          "nothing", "one", "two",
        ])
      let binary = run("\(folder)/binary")
      #expect(
        binary.output.contains("2 classes") && binary.output.contains("a mask: 128 and more is class 1"),
        "\(binary)")
      let objects = aviary(
        "finetune", "unet_scenes", "--data", "\(folder)/s/instances.json", "--pictures",
        "\(folder)/s/pictures",
        "--output", "\(folder)/o.safetensors", "--epochs", "1", "--size", "24")
      #expect(objects.output.contains("3 classes, those of its objects' masks"), "\(objects.errors)")
      #expect(objects.output.contains("cut to 24×24"))
    }
  }

  @Test(
    "pictures of several sizes fill up their batch; damaged ones and unknown labels are left out and named")
  func sizes() throws {
    try withScenes(8) { folder in
      for (index, size) in [(0, 20), (1, 41)] {
        for kind in ["pictures", "masks"] {
          let path = "\(folder)/s/\(kind)/\(index).png"
          try Image(contentsOf: path).resized(width: size, height: 17, .nearest).write(to: path)
        }
      }
      try Data("no picture".utf8).write(to: URL(filePath: "\(folder)/s/masks/2.png"))
      // Nobody knows how many classes a damaged mask has.
      let unknown = finetune("unet_scenes", "\(folder)/s", "\(folder)/o.safetensors", "--epochs", "1")
      #expect(unknown.status == 1 && unknown.errors.contains("masks/2.png"), "\(unknown.errors)")
      let rest = finetune(
        "unet_scenes", "\(folder)/s", "\(folder)/o.safetensors", "--epochs", "1", "--batch", "3", "--classes",
        "3")
      #expect(rest.status == 0, "\(rest.errors)")
      #expect(
        rest.output.contains("pictures 20 to 41 wide and 17 to 32 high: those of a batch are filled up"))
      #expect(rest.errors.contains("1 of 8 pictures are left out"))
    }
  }

  @Test("a YOLO learns other shapes from a COCO file, and its best epoch is that of the highest precision")
  func detector() throws {
    try withScenes(60, shapes: "star,ring,cross", size: 96) { folder in
      let output = "\(folder)/y.safetensors"
      let outcome = finetune(
        "yolov8_scenes", "\(folder)/s", output, "--epochs", "3", "--learning-rate", "0.001", "--batch", "6",
        "--validation", "0.4", "--size", "64",
        "--json")
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(outcome.errors.contains("3 labels (nc); with first values: model.22.cv3.0.2.weight"))
      let precision = try validation("map50", of: outcome)
      #expect(precision.count == 3 && precision.max()! > precision[0], "\(precision)")
      let detector = try Zoo.load(Detector.self, "yolov8_scenes", weights: output)
      #expect(detector.labels == ["star", "ring", "cross"])
      // The size that it learned at is that of its file.
      let preprocessing = try Zoo.network("yolov8_scenes", weights: output).metadata.preprocessing
      #expect(preprocessing?.height == 64 && preprocessing?.width == 64)
      let words = ["evaluate", "yolov8_scenes", "--weights", output, "--json", "--data"]
      let evaluated = aviary(words + ["\(folder)/s"])
      #expect(evaluated.status == 0, "\(evaluated.errors)")
      let file = aviary(words + ["\(folder)/s/instances.json", "--pictures", "\(folder)/s/pictures"])
      #expect(evaluated.output == file.output && file.output.contains("\"pictures\" : 60"))
    }
  }

  @Test(
    "a Faster R-CNN learns from YOLO's texts; boxes without area, crowds and pictures without objects are told"
  )
  func formats() throws {
    try withScenes(6, size: 64) { folder in
      let data = "\(folder)/yolo"
      try FileManager.default.createDirectory(atPath: "\(data)/labels", withIntermediateDirectories: true)
      try FileManager.default.copyItem(atPath: "\(folder)/s/pictures", toPath: "\(data)/images")
      for index in 0..<4 {
        try "0 0.5 0.5 0.25 0.5\n1 0.2 0.2 0 0.1\n".write(
          toFile: "\(data)/labels/\(index).txt", atomically: true, encoding: .utf8)
      }
      try "left\nright\n".write(toFile: "\(data)/classes.txt", atomically: true, encoding: .utf8)
      let output = "\(folder)/f.safetensors"
      let outcome = finetune(
        "fasterrcnn_scenes", data, output, "--epochs", "1", "--freeze", "backbone.*", "--set", "min_size=64")
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(
        outcome.output.contains("6 pictures, 2 of them without objects, with 4 objects: left 4, right 0"))
      #expect(outcome.errors.contains("left out: 4 objects without a box"))
      #expect(outcome.output.contains("frozen: ") && outcome.output.contains("the lowest loss"))
      #expect(
        try Zoo.load(Detector.self, "fasterrcnn_scenes", weights: output).labels == [
          "background", "left", "right",
        ])
      try "0 0.5 0.5 0.25\n".write(toFile: "\(data)/labels/0.txt", atomically: true, encoding: .utf8)
      let broken = finetune("fasterrcnn_scenes", data, output, "--epochs", "1")
      #expect(broken.status == 1 && broken.errors.contains("labels/0.txt: line 1 is '0 0.5 0.5 0.25'"))

      let file = "\(folder)/s/instances.json"
      var text = try String(contentsOfFile: file, encoding: .utf8)
      text = text.replacing("\"iscrowd\":0", with: "\"iscrowd\":1", maxReplacements: 1)
      try text.write(toFile: file, atomically: true, encoding: .utf8)
      let crowds = finetune("fasterrcnn_scenes", "\(folder)/s", output, "--epochs", "1")
      #expect(
        crowds.output.contains("; 1 crowds, of which nothing is learned"), "\(crowds.output) \(crowds.errors)"
      )
    }
  }

  @Test("what cannot be is refused before the run")
  func refused() throws {
    try withScenes(4) { folder in
      for (name, words, sentence) in [
        ("unet_scenes", ["--loss", "mse"], "--loss takes a sum of"),
        ("unet_scenes", ["--class-weights", "1,2"], "a number for each of 3 classes"),
        ("unet_scenes", ["--loss", "dice", "--class-weights", "balanced"], "--loss has to have it"),
        ("unet_scenes", ["--head", "3"], "--head is for classifiers"),
        ("unet_scenes", ["--freeze", "outer"], "no parameter is called like outer"),
        ("unet_scenes", ["--layer-decay", "0.5"], "--layer-decay is for classifiers"),
        ("hed", ["--from-scratch"], "hed cannot have 3 labels"),
        ("yolov8_scenes", ["--loss", "dice"], "--loss goes not with yolov8_scenes"),
        ("yolov8_scenes", ["--optimizer", "lbfgs"], "it goes not with detectors"),
        ("yolov8_scenes", ["--validation-data", "\(folder)/none"], "--pictures is missing"),
        ("lenet", ["--loss", "dice"], "--loss is for segmenters and detectors"),
        ("vae_mnist", [], "finetune teaches classifiers, segmenters, detectors and language models"),
        ("lenet", ["--length", "3"], "--length is for language models"),
        ("charrnn", ["--augment", "flip"], "--augment goes not with charrnn, a language model"),
      ] {
        let outcome = aviary(
          ["finetune", name, "--data", "\(folder)/s", "--output", "\(folder)/x.safetensors"] + words)
        #expect(outcome.status == 2 || outcome.status == 1)
        #expect(outcome.errors.contains(sentence), "\(name) \(words): \(outcome.errors)")
        #expect(!FileManager.default.fileExists(atPath: "\(folder)/x.safetensors"))
      }
    }
  }

  @Test("one batch is learned, and a learning rate found, without a run")
  func looks() throws {
    try withScenes(2, size: 16) { folder in
      let output = "\(folder)/x.safetensors"
      let sanity = finetune("unet_scenes", "\(folder)/s", output, "--sanity", "--learning-rate", "0.01")
      #expect(sanity.status == 0 && sanity.output.contains("it can be learned"), "\(sanity)")
      let rates = finetune("unet_scenes", "\(folder)/s", output, "--find-learning-rate")
      #expect(rates.status == 0 && rates.output.contains("learning rate"), "\(rates.errors)")
      #expect(!FileManager.default.fileExists(atPath: output))
    }
  }

  @Test("recipes learn from folders as draw writes them too, and their networks have the folders' classes")
  func recipes() throws {
    try withScenes(8, size: 96) { folder in
      let data = "\(folder)/data"
      try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
      for part in ["training", "test"] {
        try FileManager.default.copyItem(atPath: "\(folder)/s", toPath: "\(data)/\(part)")
      }
      for (name, metric) in [("yolo_scenes", "map50"), ("unet_scenes", "mean_iou")] {
        let output = "\(folder)/\(name).safetensors"
        var recipe = try Recipe.named(name)
        (recipe.scenes, recipe.epochs, recipe.batch, recipe.validation) = (nil, 1, 4, 0.25)
        let options = try TrainingOptions(
          Arguments(["--output", output, "--json"], for: TrainCommand.self), epochs: 1, batch: 4, seed: 1)
        let followed = FollowedRecipe(
          name: name, recipe: recipe, entry: try Catalogue.entry(recipe.model), options: options, folder: data
        )
        let pictures = try RecipePictures(of: followed) { try DetectorFinetuning.open($0) }
        #expect(pictures.training.count == 6 && pictures.validation.count == 2 && pictures.test.count == 8)
        let (reports, test) =
          metric == "map50" ? try DetectorRecipe.run(followed) : try SegmenterRecipe.run(followed)
        #expect(reports.count == 1 && test.metrics[metric] != nil && test.loss.isFinite)
        let labels = try Zoo.network(recipe.model, weights: output).metadata.labels
        #expect(labels == (metric == "map50" ? ["star", "ring"] : ["background", "star", "ring"]))
      }
    }
  }
}
