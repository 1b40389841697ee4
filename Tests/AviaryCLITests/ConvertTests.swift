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
