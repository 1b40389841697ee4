import Aviary
import Foundation
import Testing

@testable import AviaryCLI

@Suite("Converting from the command line")
struct ConvertTests {
  /// A way to write a file of weights.
  struct Form: CustomTestStringConvertible {
    let target: String
    let ending: String
    let dtype: String
    /// What its floating-point values are stored in.
    let stored: DType

    var testDescription: String { "\(target) \(dtype)" }
    func path(in folder: String) -> String { "\(folder)/weights.\(ending)" }
    var words: [String] { ["--to", target, "--dtype", dtype] }
  }

  /// Every target in every type.
  static let forms = [
    ("portable", "safetensors"), ("torchvision", "safetensors"), ("keras", "h5"), ("keras3", "weights.h5"),
    ("npz", "npz"),
  ].flatMap { target, ending in
    [("f32", DType.float32), ("f16", .float16), ("bf16", .bfloat16)].map { name, dtype in
      // Keras cannot load bfloat16 from its older format.
      Form(
        target: target, ending: ending, dtype: name,
        stored: target == "keras" && dtype == .bfloat16 ? .float32 : dtype)
    }
  }

  @Test("every format in every type is read back", arguments: forms)
  func convert(form: Form) throws {
    try withTemporaryFolder { folder in
      let weights = "\(folder)/lenet.safetensors"
      try Zoo.load("lenet").save(to: weights)
      let original = try WeightFile.open(weights).archive
      let path = form.path(in: folder)
      let outcome = aviary(["convert", weights, path] + form.words)
      #expect(outcome.status == 0, "\(outcome.errors)")
      let file = try WeightFile.open(path)
      #expect(file.archive.count == original.count)
      #expect(file.archive.entries.allSatisfy { $0.tensor.dtype == form.stored })
      #expect((file.archive.portable == nil) == (form.target == "torchvision" || form.target == "npz"))
      guard form.dtype == "f32" else { return }
      let back = "\(folder)/back.safetensors"
      #expect(aviary("convert", path, back, "--model", "lenet").status == 0)
      let again = try WeightFile.open(back).archive
      #expect(original.names.allSatisfy { again[$0]?.values() == original[$0]?.values() })
    }
  }

  @Test("--check proves the way there and back, in every format and type", arguments: forms)
  func check(form: Form) throws {
    try withTemporaryFolder { folder throws in
      let source = "\(folder)/lenet.safetensors"
      try Zoo.load("lenet").save(to: source)
      let path = form.path(in: folder)
      let outcome = aviary(["convert", source, path, "--check"] + form.words)
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(outcome.output.contains("10 tensors read back bit-equal"))
      #expect(outcome.output.contains("outputs of both networks differ by at most 0.0"))
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count == 2)
      if form.target == "portable" { #expect(aviary("verify", "lenet", "--weights", path).status == 0) }
    }
  }

  @Test("--check of a file of no model of the zoo compares the tensors")
  func unknown() throws {
    try withTemporaryFolder { folder throws in
      let unknown = "\(folder)/unknown.npz"
      try WeightFile.write(
        try WeightArchive([("a", Tensor.uniform([2, 3])), ("b", Tensor([Int64(1), 2]))]), to: unknown,
        as: .npz)
      let outcome = aviary("convert", unknown, "\(folder)/unknown.safetensors", "--check")
      #expect(outcome.output.contains("2 tensors") && outcome.output.contains("outputs were not compared"))
    }
  }

  @Test("--check between Keras' formats, which order the weights of a layer each in its way")
  func order() throws {
    try withTemporaryFolder { folder throws in
      let (source, target) = ("\(folder)/source.h5", "\(folder)/target.weights.h5")
      var archive = try WeightArchive([
        ("conv/bias", Tensor.uniform([4])), ("conv/kernel", Tensor.uniform([3, 3, 2, 4])),
      ])
      archive = try KerasSpelling.legacy(archive)
      archive.keras?.layers[0].weights.reverse()
      try WeightFile.write(archive, to: source, as: .kerasWeights)
      let outcome = aviary("convert", source, target, "--check")
      #expect(outcome.status == 0 && outcome.output.contains("2 tensors"), "\(outcome.errors)")
    }
  }

  @Test("what is no regular file is not replaced", arguments: [[], ["--check"]])
  func special(options: [String]) throws {
    try withTemporaryFolder { folder throws in
      let weights = "\(folder)/lenet.safetensors"
      try Zoo.load("lenet").save(to: weights)
      #expect(mkfifo("\(folder)/pipe", 0o600) == 0)
      for (name, target) in [("loop", "loop"), ("link", "pipe"), ("good", "real.npz")] {
        try FileManager.default.createSymbolicLink(
          atPath: "\(folder)/\(name)", withDestinationPath: "\(folder)/\(target)")
      }
      let before = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
      for (name, reason) in [
        ("pipe", "not a regular file"), ("link", "not a regular file"), ("loop", "symbolic links"),
        ("/", "folder"),
      ] {
        let path = name == "/" ? folder : "\(folder)/\(name)"
        let outcome = aviary(["convert", weights, path, "--to", "npz"] + options)
        #expect(outcome.status == 1 && outcome.errors.contains(reason), "\(outcome.errors)")
        #expect(outcome.errors.hasPrefix("aviary: \(path): cannot write"), "\(outcome.errors)")
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == before)
      // A link to a file that is not there yet leads to where it is to be.
      #expect(aviary(["convert", weights, "\(folder)/good", "--to", "npz"] + options).status == 0)
      #expect(FileManager.default.fileExists(atPath: "\(folder)/real.npz"))
    }
  }

  /// Two tensors of no model in a plain file.
  private func write(_ values: [Float], to path: String, as format: WeightFormat = .npz) throws {
    try WeightFile.write(
      try WeightArchive([("a", Tensor(values)), ("b.running_var", Tensor([Float(1), 2]))]), to: path,
      as: format)
  }

  @Test(
    "a damaged file is not converted: the digest of the result would vouch for it",
    arguments: [[], ["--check"]])
  func damage(options: [String]) throws {
    try withTemporaryFolder { folder throws in
      for model in [true, false] {
        let source = "\(folder)/source.safetensors"
        if model {
          try Zoo.load("lenet").save(to: source)
        } else {
          try write([1, 2], to: source, as: .portable)
        }
        #expect(aviary("inspect", source).output.contains("the data is what its digest says"))
        var bytes = try #require(FileManager.default.contents(atPath: source))
        bytes[bytes.count - 2] ^= 1
        try bytes.write(to: URL(filePath: source))
        #expect(aviary("inspect", source).output.contains("DAMAGED"))
        #expect(aviary("inspect", source, "--json").output.contains("\"is_intact\" : false"))
        let outcome = aviary(["convert", source, "\(folder)/out.npz"] + options)
        #expect(outcome.status == 1 && outcome.errors.contains("the data is damaged"), "\(outcome.errors)")
        #expect(!FileManager.default.fileExists(atPath: "\(folder)/out.npz"))
      }
    }
  }

  @Test("values that are not finite are refused, and with a switch kept and told")
  func nonFinite() throws {
    try withTemporaryFolder { folder throws in
      let (source, target) = ("\(folder)/a.npz", "\(folder)/b.safetensors")
      try write([1, .nan, .infinity], to: source)
      let refused = aviary("convert", source, target)
      #expect(
        refused.status == 1
          && refused.errors.contains("\"a\": 2 values are not finite, the first is NaN at [1]"))
      #expect(!FileManager.default.fileExists(atPath: target))
      let allowed = aviary("convert", source, target, "--allow-nonfinite", "--check")
      #expect(allowed.status == 0 && allowed.output.contains("values that no network can use"))
      // An infinite value is none that a type is too small for.
      #expect(aviary("convert", source, target, "--allow-nonfinite", "--dtype", "f16", "--check").status == 0)
    }
  }

  @Test("values beyond half precision are refused in every format", arguments: ConvertTests.forms)
  func overflow(form: Form) throws {
    guard form.dtype == "f16" else { return }
    try withTemporaryFolder { folder throws in
      let source = "\(folder)/source.safetensors"
      let lenet = try Zoo.load("lenet")
      lenet.model.stateEntries[1].value = Tensor([Float(0), 1, 2, 7e4, 4, 5])
      try lenet.save(to: source)
      let path = form.path(in: folder)
      for options in [[], ["--check"]] {
        let outcome = aviary(["convert", source, path] + form.words + options)
        #expect(outcome.status == 1, "\(outcome.output)")
        #expect(
          outcome.errors.contains("the value 70000.0 at [3] would become infinite as float16"),
          "\(outcome.errors)")
        #expect(!FileManager.default.fileExists(atPath: path))
      }
      // A file that was written so all the same does not pass either.
      let bad = "\(folder)/bad.safetensors"
      let infinite = lenet.model.stateEntries[1]
      infinite.value = infinite.value.cast(to: .float16).cast(to: .float32)
      try lenet.save(to: bad, floats: .float16)
      let error = #expect(throws: WeightsError.self) {
        try ConversionCheck(
          of: try WeightFile.open(source), at: bad, floats: .float16, model: try Catalogue.entry("lenet"),
          allowing: .nonFinite)
      }
      #expect(error?.kind == .nonFinite && error?.description.contains("is so no more") == true)
    }
  }

  @Test("what is left out and what is made anew is said")
  func losses() throws {
    try withTemporaryFolder { folder throws in
      let (source, target) = ("\(folder)/resnet.safetensors", "\(folder)/out.npz")
      let model = try Zoo.model("resnet8")
      let counters = [("bn1.num_batches_tracked", Tensor([Int64(9)], shape: []))]
      try WeightFile.write(
        try WeightArchive(model.stateEntries.map { ($0.name, $0.value) } + counters), to: source,
        as: .safetensors)
      for options in [[], ["--check"]] {
        let outcome = aviary(["convert", source, target] + options)
        #expect(
          outcome.output.contains(
            "left out, since the model does not have them: 1 tensor, bn1.num_batches_tracked"))
      }
      try WeightFile.write(
        try WeightArchive(
          model.stateEntries.map { ($0.name, $0.value) } + [("loss.weight", Tensor([Float(1)]))]),
        to: source, as: .safetensors)
      // Without the switch it is of no model of the zoo, and keeps its names.
      #expect(aviary("convert", source, target).output.contains("names kept"))
      let outcome = aviary("convert", source, target, "--ignore-unexpected", "--check")
      #expect(outcome.output.contains("of resnet8") && outcome.output.contains("1 tensor, loss.weight"))
      let inspected = aviary("inspect", source).output
      #expect(inspected.contains("model: resnet8") && inspected.contains("1 left over: loss.weight"))
    }
  }

  @Test("names of any length make a table that can be read")
  func longNames() throws {
    try withTemporaryFolder { folder throws in
      let path = "\(folder)/long.safetensors"
      let names =
        [String(repeating: "a", count: 1_000_000), "\u{1B}[31mred\u{202E}"] + (0..<500).map { "t\($0)" }
      try WeightFile.write(
        try WeightArchive(names.map { ($0, Tensor([Float(1)])) }), to: path, as: .safetensors)
      let outcome = aviary("inspect", path)
      #expect(outcome.status == 0 && outcome.output.utf8.count < 200_000)
      #expect(outcome.output.contains("\\u{1B}[31mred\\u{202E}") && !outcome.output.contains("\u{1B}"))
      let error = aviary("run", "lenet", "--weights", path, "--input", path, "--output", "\(folder)/o.npz")
        .errors
      #expect(error.utf8.count < 3000 && error.split(separator: "\n").count <= 12)
    }
  }

  @Test("every command that takes weights has the switches for what is wrong with them")
  func switches() throws {
    for command in Program.commands where command.options.contains(where: { $0.name == "weights" }) {
      #expect(command.help.contains("--allow-nonfinite") && command.help.contains("--ignore-unexpected"))
    }
  }

  @Test("a result that differs is found, tensor and output")
  func difference() throws {
    try withTemporaryFolder { folder throws in
      let (source, changed) = ("\(folder)/lenet.safetensors", "\(folder)/changed.safetensors")
      let lenet = try Zoo.load("lenet")
      try lenet.save(to: source)
      lenet.model.stateEntries[0].value = lenet.model.stateEntries[0].value * 1.001
      try lenet.save(to: changed)
      let file = try WeightFile.open(source)
      for entry in [try Catalogue.entry("lenet"), nil] {
        let error = #expect(throws: WeightsError.self) {
          try ConversionCheck(of: file, at: changed, floats: nil, model: entry)
        }
        #expect(error?.description.contains("conv1.weight reads back with other values") == true)
      }
    }
  }
}
