import AviaryLayers
import AviaryTensors
import Foundation
import TestSupport
import Testing

@testable import AviaryWeights
@testable import AviaryZoo

/// Files that hold a model's weights and something else, or not quite them.
@Suite("Loading what others save")
struct LoadingTests {
  /// LeNet's tensors with deterministic weights.
  private static let entries = (try? Zoo.model("lenet"))!.stateEntries.map { entry in
    (
      name: entry.name,
      tensor: Tensor(DeterministicWeights.torch(entry.name, shape: entry.shape), shape: entry.shape)
    )
  }

  private static let head = [
    (name: "my_head.weight", tensor: ramp([3, 84])), ("my_head.bias", ramp([3])),
  ]

  private static func ramp(_ shape: Shape) -> Tensor {
    Tensor((0..<shape.elementCount).map { Float($0) / 64 }, shape: shape)
  }

  private func withFile(
    _ entries: [(name: String, tensor: Tensor)], _ format: WeightFormat = .safetensors,
    _ body: (_ path: String) throws -> Void
  ) throws {
    let path = FileManager.default.temporaryDirectory.appending(path: "aviary-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try WeightFile.write(try WeightArchive(entries), to: path, as: format)
    try body(path)
  }

  private func expectLeNet(_ loaded: LoadedModel) {
    let values = Dictionary(uniqueKeysWithValues: loaded.model.stateEntries.map { ($0.name, $0.value) })
    #expect(Self.entries.allSatisfy { values[$0.name]?.values() == $0.tensor.values() })
  }

  @Test(
    "whatever stands before every name is taken off, in every container",
    arguments: ["module.", "model.", "net.", "backbone.", "model._orig_mod.module.", "student.encoder."],
    [WeightFormat.safetensors, .npz])
  func prefixes(prefix: String, format: WeightFormat) throws {
    let wrapped = Self.entries.map { (prefix + $0.name, $0.tensor) }
    try withFile(wrapped + [("n_averaged", Tensor([Int64(2)], shape: []))], format) { path in
      let found = Zoo.identification(of: try WeightFile.open(path).archive)
      #expect(found?.entry.name == "lenet" && found?.extent == .whole(classes: 10))
      // What is counted beside a wrapper that is known is no tensor of the model.
      if prefix == "module." {
        expectLeNet(try Zoo.load("lenet", weights: path))
      } else {
        #expect(throws: WeightsError.self) { try Zoo.load("lenet", weights: path) }
        let loaded = try Zoo.load("lenet", weights: path, allowing: .unexpected)
        expectLeNet(loaded)
        #expect(loaded.changes == ["left out of what the file holds: n_averaged"])
      }
    }
    try withFile(wrapped, format) { path in expectLeNet(try Zoo.load("lenet", weights: path)) }
  }

  @Test("another head and a loss stop nothing where a new head comes, and are told")
  func otherHeads() throws {
    let trunk = Self.entries.filter { !$0.name.hasPrefix("fc3") }
    for entries in [trunk + Self.head, Self.entries + [("criterion.weight", Self.ramp([10]))]] {
      let others = entries.filter { entry in !Self.entries.contains { $0.name == entry.name } }.map(\.name)
      try withFile(entries) { path in
        let error = #expect(throws: WeightsError.self) { try Zoo.load("lenet", weights: path) }
        #expect(error?.reason.contains("unexpected \(others[0])") == true)
        for loaded in [
          try Zoo.load("lenet", weights: path, Adaptation(part: .features)).withHead([3]),
          try Zoo.load("lenet", weights: path, classes: 3),
        ] {
          let told = loaded.changes.first { $0.contains(others.joined(separator: ", ")) }
          #expect(told?.hasPrefix("left out of what the file holds") == true, "\(loaded.changes)")
          #expect(loaded.labels.count == 3)
        }
      }
    }
  }

  @Test("what is left out is only said to be allowed where that is all that is wrong")
  func hints() throws {
    try withFile(Self.entries + [("criterion.weight", Self.ramp([10]))]) { path in
      let error = #expect(throws: WeightsError.self) { try Zoo.load("lenet", weights: path) }
      #expect(error?.reason.contains("--ignore-unexpected") == true)
      expectLeNet(try Zoo.load("lenet", weights: path, allowing: .unexpected))
    }
    try withFile(Array(Self.entries.dropLast()) + Self.head) { path in
      let error = #expect(throws: WeightsError.self) { try Zoo.load("lenet", weights: path) }
      #expect(error?.reason.contains("--ignore-unexpected") == false)
    }
  }

  @Test("blocks of a larger network are no other head")
  func largerNetworks() throws {
    let larger = try Zoo.model("resnet32").stateEntries.map { ($0.name, $0.value) }
    try withFile(larger) { path in
      for part in [Adaptation.Part.features, .whole] {
        let error = #expect(throws: WeightsError.self) {
          try Zoo.load("resnet20", weights: path, Adaptation(classes: 2, part: part))
        }
        #expect(error?.reason.contains("holds weights of resnet32") == true)
      }
    }
  }

  @Test(
    "values that are not finite are refused where they enter, or told", arguments: [DType.float32, .float16])
  func nonFinite(dtype: DType) throws {
    var entries = Self.entries
    var values = entries[4].tensor.values()
    (values[7], values[130]) = (.nan, -.infinity)
    entries[4].tensor = Tensor(values, shape: entries[4].tensor.shape)
    try withFile(entries.map { ($0.name, $0.tensor.cast(to: dtype)) }) { path in
      let error = #expect(throws: WeightsError.self) { try Zoo.load("lenet", weights: path) }
      #expect(error?.kind == .nonFinite && error?.file == path)
      let sentence = "\"fc1.weight\": 2 values are not finite, the first is NaN at [0, 7]"
      #expect(error?.reason.contains(sentence) == true && error?.reason.contains("--allow-nonfinite") == true)
      let loaded = try Zoo.load("lenet", weights: path, allowing: .nonFinite)
      #expect(loaded.changes == ["values that no network can use: \(sentence)"])
      // What is cut off does no harm.
      _ = try Zoo.load("lenet", weights: path, Adaptation(part: .through("block2")), allowing: .nonFinite)
    }
  }

  @Test("a negative running variance is refused")
  func negativeVariance() throws {
    let model = try Zoo.model("resnet8")
    let entries = model.stateEntries.map { entry -> (name: String, tensor: Tensor) in
      guard entry.name == "layer2.bn1.running_var" else { return (entry.name, entry.value) }
      return (entry.name, Tensor([Float](repeating: -1e-3, count: entry.shape.elementCount)))
    }
    try withFile(entries) { path in
      let error = #expect(throws: WeightsError.self) { try Zoo.load("resnet8", weights: path) }
      #expect(error?.reason.contains("\"layer2.bn1.running_var\": 32 values are negative") == true)
    }
  }

  @Test("a checkpoint's other model is taken when the preferred one is of something else")
  func alternatives() throws {
    // Every tensor is one number, seen as often as the shape asks for.
    func tensor(_ shape: Shape) -> String {
      let tuple = { (numbers: [Int]) in "(" + numbers.map { "I\($0)\n" }.joined() + "t" }
      return "ctorch._utils\n_rebuild_tensor_v2\n((S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nI1\ntQI0\n"
        + tuple(shape) + tuple(shape.map { _ in 0 }) + "I00\nNtR"
    }
    func dictionary(_ entries: [(String, String)]) -> String {
      "}(" + entries.map { "S'\($0.0)'\n\($0.1)" }.joined() + "u"
    }
    let plain = dictionary(Self.entries.map { ($0.name, tensor($0.tensor.shape)) })
    let other = dictionary([("module.something", tensor([3]))])
    let pickle = dictionary([("model", plain), ("model_ema", other)]) + "."
    let path = FileManager.default.temporaryDirectory.appending(path: "aviary-\(UUID().uuidString).pth").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try AtomicFile.write(to: path) { file in
      var zip = ZipWriter(to: file)
      try zip.add("archive/data.pkl") { write in try Array(pickle.utf8).withUnsafeBytes(write) }
      try zip.add("archive/data/0") { write in try [UInt8]([0, 0, 0x80, 0x3E]).withUnsafeBytes(write) }
      try zip.finish()
    }
    let file = try WeightFile.open(path)
    #expect(file.archive.metadata["unwrapped"] == "model_ema")
    #expect(Zoo.identification(of: file.archive)?.extent == .whole(classes: 10))
    let loaded = try Zoo.load("lenet", weights: path)
    #expect(loaded.changes == ["the weights under model are taken: those under model_ema fit nothing"])
    #expect(loaded.model.stateEntries.allSatisfy { $0.value.values().allSatisfy { $0 == 0.25 } })
  }

  @Test(
    "an input that only the metadata has makes no room for millions of values",
    arguments: [("vit_ti_16", [3, 16384, 16384]), ("resnet8", [4096, 32, 32])])
  func describedInputs(name: String, input: [Int]) throws {
    var archive = try WeightArchive([("a", Self.ramp([1]))])
    archive.portable = PortableMetadata(model: name, dialect: try Catalogue.entry(name).dialects[0].name)
    archive.portable?.configuration = ["input": .array(input.map { .integer($0) })]
    let path = FileManager.default.temporaryDirectory.appending(path: "aviary-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try WeightFile.write(archive, to: path, as: .portable)
    let peak = try PeakMemory.during {
      let error = #expect(throws: WeightsError.self) { try Zoo.load(name, weights: path) }
      #expect(error?.reason.contains("not for the input") == true, "\(String(describing: error))")
      _ = Zoo.identification(of: try WeightFile.open(path).archive)
    }
    if let peak { #expect(peak < 200 << 20) }
  }

  /// As `model.save("x.h5")` of Keras 3.15 spells a sequence: with the names of enclosing models, and numbers that go on.
  @Test(
    "Keras' LeNets are found by given and by automatic names", arguments: ["lenet5", "keras_wide"], [0, 2])
  func keras(dialect: String, first: Int) throws {
    let dialect = try #require(try Catalogue.entry("lenet").dialect(named: dialect))
    let model = dialect.make(10)
    let loaded = try Zoo.untrained(try Catalogue.selection("lenet.\(dialect.name)").entry)
    let archive = try dialect.kerasArchive(
      of: try WeightArchive(model.stateEntries.map { ($0.name, $0.value) }), for: model, called: loaded.name)
    func automatic(_ name: String) -> String {
      let parts = name.split(separator: "/")
      let isDense = parts[0].hasPrefix("fc") || parts[0].hasPrefix("dense")
      let order =
        ["conv1", "conv2d", "fc1", "dense"].contains(parts[0])
        ? 0 : ["fc3", "dense_2"].contains(parts[0]) ? 2 : 1
      let base = isDense ? "dense" : "conv2d"
      let layer = first + order == 0 ? base : "\(base)_\(first + order)"
      return "\(layer)/\(parts[1])"
    }
    func given(_ name: String) -> String {
      let parts = automatic(name).split(separator: "/")
      let number = (Int(parts[0].split(separator: "_").last ?? "") ?? 0) - first + 1
      return (parts[0].hasPrefix("dense") ? "fc" : "conv") + "\(number)/\(parts[1])"
    }
    for spell in [automatic, given] {
      let canonical = try archive.withCanonicalKerasNames()
      var renamed = try canonical.selecting(canonical.names.map { (spell($0), $0) })
      renamed = try KerasSpelling.legacy(renamed)
      for index in renamed.keras!.layers.indices {
        let layer = renamed.keras!.layers[index].name
        for weight in renamed.keras!.layers[index].weights.indices {
          let kind = renamed.keras!.layers[index].weights[weight].name.split(separator: "/").last!
          renamed.keras!.layers[index].weights[weight].name = "sequential/\(layer)/\(kind)"
        }
      }
      let path = FileManager.default.temporaryDirectory.appending(path: "aviary-\(UUID().uuidString).h5").path
      defer { try? FileManager.default.removeItem(atPath: path) }
      try WeightFile.write(renamed, to: path, as: .kerasWeights)
      let found = try Zoo.load("lenet", weights: path)
      #expect(found.dialect.name == dialect.name)
      for (a, b) in zip(found.model.stateEntries, model.stateEntries) {
        #expect(a.value.values() == b.value.values(), "\(a.name)")
      }
    }
  }
}
