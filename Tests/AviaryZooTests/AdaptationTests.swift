import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

/// Networks with other classes, channels and sizes than their weights were made for.
@Suite("Adaptation")
struct AdaptationTests {
  /// The whole model's tensors with deterministic weights in a file, without those whose names begin so; `format` decides what the file says.
  private func withFile(
    _ name: String, _ format: WeightFormat = .npz, leavingOut prefixes: [String] = [],
    _ body: (_ path: String, _ model: any StagedModel) throws -> Void
  ) throws {
    let path = FileManager.default.temporaryDirectory.appending(path: "aviary-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let loaded = try withRandomSeed(1) { try Zoo.untrained(try Catalogue.entry(name)) }
    for entry in loaded.model.stateEntries where !entry.isFixed {
      entry.value = Tensor(DeterministicWeights.torch(entry.name, shape: entry.shape), shape: entry.shape)
    }
    let entries = loaded.model.stateEntries.filter { entry in
      !prefixes.contains { entry.name.hasPrefix($0) }
    }.map { ($0.name, $0.value) }
    var archive = try WeightArchive(entries)
    if format == .portable { archive.portable = try loaded.archive().portable }
    try WeightFile.write(archive, to: path, as: format)
    try body(path, loaded.model)
  }

  private func savedAndLoaded(_ loaded: LoadedClassifier) throws -> LoadedClassifier {
    let path = FileManager.default.temporaryDirectory.appending(path: "aviary-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try loaded.save(to: path)
    return try Zoo.load(loaded.name, weights: path)
  }

  @Test(
    "another number of classes gets a new head, all else is the file's",
    arguments: [WeightFormat.npz, .portable])
  func classes(format: WeightFormat) throws {
    try withFile("resnet18", format) { path, model in
      let loaded = try Zoo.load("resnet18", weights: path, classes: 5)
      #expect(loaded.report?.initialised == ["fc.bias", "fc.weight"])
      #expect(loaded.changes.count == 1 && loaded.changes[0].contains("a new head for 5 classes"))
      #expect(loaded.labels.count == 5)
      let old = Dictionary(uniqueKeysWithValues: model.stateEntries.map { ($0.name, $0.value.values()) })
      for entry in loaded.model.stateEntries where !entry.name.hasPrefix("fc.") {
        #expect(entry.value.values() == old[entry.name], "\(entry.name)")
      }
      let again = try savedAndLoaded(loaded)
      let input = sample([1, 3, 64, 64])
      #expect(again.model(input).values() == loaded.model(input).values())
      #expect(again.changes.isEmpty && again.labels == loaded.labels)
      // The file's own number changes nothing.
      let same = try Zoo.load("resnet18", weights: path, classes: 1000)
      #expect(same.changes.isEmpty && same.model(input).values() == model(input).values())
    }
  }

  @Test(
    "every model of the catalogue takes another number of classes and grey pictures",
    arguments: Catalogue.entries(.classification).map(\.name))
  func everyModel(name: String) throws {
    let entry = try Catalogue.entry(name)
    let loaded = try Zoo.untrained(entry, Adaptation(classes: 7, channels: 1))
    #expect(loaded.inputShape[0] == 1 && loaded.preprocessing.channels == .grey)
    let summary = Summary(of: loaded.model, inputShape: [1] + loaded.inputShape)
    #expect(summary.outputShape == [1, 7])
  }

  @Test("files without a classifier need a new head")
  func withoutHead() throws {
    // VGG's published files without a head lack three layers, not one.
    try withFile("vgg11", leavingOut: ["classifier."]) { path, model in
      let error = #expect(throws: WeightsError.self) { try Zoo.load("vgg11", weights: path) }
      #expect(error?.description.contains("missing classifier.0.weight") == true)
      let loaded = try Zoo.load("vgg11", weights: path, classes: 3)
      #expect(loaded.report?.initialised.count == 6)
      let cut = try Zoo.load("vgg11", weights: path, Adaptation(part: .features)).withHead([8, 3])
      let name = "features.0.weight"
      for entry in cut.model.stateEntries where entry.name == name {
        #expect(entry.value.values() == model.stateEntries.first { $0.name == name }?.value.values())
      }
      #expect(throws: StageError.self) {
        try Zoo.load("vgg11", weights: path, Adaptation(part: .through("block9")))
      }
    }
    // A part of a classifier that stays is no classifier.
    try withFile("vgg11", leavingOut: ["classifier.0.weight"]) { path, _ in
      #expect(throws: WeightsError.self) { try Zoo.load("vgg11", weights: path, classes: 3) }
    }
  }

  @Test(
    "one channel sums the first convolution; more repeat it",
    arguments: ["resnet18", "vit_ti_16", "densenet121"])
  func channels(name: String) throws {
    try withFile(name) { path, model in
      let side = name.hasPrefix("vit") ? 224 : 64
      let plane = sample([1, 1, side, side])
      let expected = model(concatenate([plane, plane, plane], axis: 1))
      let grey = try Zoo.load(name, weights: path, channels: 1)
      #expect(relativeDifference(grey.model(plane), expected) < 1e-4)
      #expect(grey.preprocessing.channels == .grey && grey.preprocessing.mean.count == 1)
      #expect(grey.changes.count == 1 && grey.changes[0].contains("summed"))
      let six = try Zoo.load(name, weights: path, channels: 6)
      let planes = concatenate([plane, plane, plane, plane, plane, plane], axis: 1)
      #expect(relativeDifference(six.model(planes), expected) < 1e-4)
      let four = try Zoo.load(name, weights: path, channels: 4)
      let first = try #require(model.stateEntries.first { $0.shape.count == 4 })
      let adapted = try #require(four.model.stateEntries.first { $0.name == first.name }).value
      #expect(adapted.values() == first.value.taking([0, 1, 2, 0], axis: 1).values().map { $0 * 0.75 })
      #expect(throws: AdaptationError.self) { try four.requirePictures() }
      for loaded in [grey, four] {
        let again = try savedAndLoaded(loaded)
        #expect(again.inputShape == loaded.inputShape && again.changes.isEmpty)
        let input = sample([1] + loaded.inputShape)
        #expect(again.model(input).values() == loaded.model(input).values())
        if loaded.inputShape[0] == 1 { #expect(again.preprocessing == loaded.preprocessing) }
      }
      // A file that does not describe itself shows its channels in its shapes.
      let archive = try WeightArchive(grey.model.stateEntries.map { ($0.name, $0.value) })
      let bare = FileManager.default.temporaryDirectory.appending(path: "aviary-\(UUID().uuidString)").path
      defer { try? FileManager.default.removeItem(atPath: bare) }
      try WeightFile.write(archive, to: bare, as: .npz)
      let found = try Zoo.load(name, weights: bare)
      #expect(found.inputShape[0] == 1 && found.preprocessing == grey.preprocessing)
    }
  }

  @Test(
    "positions of a transformer are resampled as torchvision's interpolate_embeddings does",
    arguments: [96, 384])
  func positions(side: Int) throws {
    let url = try #require(
      Bundle.module.url(forResource: "positions", withExtension: "safetensors", subdirectory: "Fixtures"))
    let golden = try WeightFile.open(url.path).archive
    let name = "encoder.pos_embedding"
    try withFile("vit_ti_16") { path, _ in
      let loaded = try Zoo.load("vit_ti_16", weights: path, size: side)
      let resampled = try #require(loaded.model.stateEntries.first { $0.name == name }).value
      let expected = try #require(golden["positions.\(side)"])
      // The first eight of 192 numbers of each token.
      #expect(relativeDifference(resampled.sliced(2, 0..<8), expected) < 1e-5)
      #expect(loaded.inputShape == [3, side, side] && loaded.preprocessing.crop == side)
      let again = try savedAndLoaded(loaded)
      let input = sample([1, 3, side, side])
      #expect(again.model(input).values() == loaded.model(input).values())
      #expect(again.inputShape == loaded.inputShape && again.preprocessing == loaded.preprocessing)
    }
  }

  @Test("sizes that a model cannot take are refused with those it can")
  func sizes() throws {
    func message(_ name: String, _ side: Int) throws -> String {
      let entry = try Catalogue.entry(name)
      let error = #expect(throws: AdaptationError.self) { try Zoo.untrained(entry, Adaptation(side: side)) }
      return error?.description ?? ""
    }
    #expect(try message("vit_ti_16", 100).contains("multiples of 16"))
    #expect(try message("resnet18", 16).contains("32 or more"))
    #expect(try message("lenet", 32).contains("28×28 only"))
    let small = try Zoo.untrained(try Catalogue.entry("resnet18"), Adaptation(side: 112))
    #expect(small.preprocessing.resize == .shortSide(128) && small.preprocessing.crop == 112)
  }

  @Test("a new head on an adapted network is described by its file")
  func adaptedTransfer() throws {
    let adapted = try withRandomSeed(1) {
      try Zoo.untrained(try Catalogue.entry("mobilenet_v1_0.25"), Adaptation(channels: 1, side: 96)).withHead(
        [4])
    }
    let again = try savedAndLoaded(adapted)
    let input = sample([1, 1, 96, 96])
    #expect(again.model(input).values() == adapted.model(input).values())
    #expect(again.inputShape == [1, 96, 96])
  }

  @Test(
    "inputs that a file describes and no network has are refused",
    arguments: ["[1,2]", "[0,64,64]", "[3,64,65]", "[3,8,8]", "[3,1000000000,1000000000]", "7"])
  func malformed(text: String) throws {
    try withFile("resnet18", .portable) { path, _ in
      var archive = try WeightFile.open(path).archive
      archive.portable?.configuration = try JSONDecoder().decode(
        Dictionary<String, AviaryWeights.JSONValue>.self, from: Data("{\"input\": \(text)}".utf8))
      try WeightFile.write(archive, to: path, as: .portable)
      let error = #expect(throws: WeightsError.self) { try Zoo.load("resnet18", weights: path) }
      #expect(error?.kind == .malformed)
    }
  }
}

@Suite("Pixels in Keras' graphs")
struct KerasPixelTests {
  private func load(_ mean: [Float], _ variance: [Float]) throws -> LoadedClassifier {
    let entry = try Catalogue.entry("efficientnet_b0")
    let keras = try #require(entry.dialect(named: "keras"))
    let model = keras.make(1000)
    let entries = model.stateEntries.map { entry -> (name: String, tensor: Tensor) in
      switch entry.name {
      case "normalization.mean": (entry.name, Tensor(mean))
      case "normalization.variance": (entry.name, Tensor(variance))
      default: (entry.name, entry.value)
      }
    }
    let map = try #require(try keras.loadNameMap())
    let path = FileManager.default.temporaryDirectory.appending(path: "aviary-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try WeightFile.write(try map.exported(try WeightArchive(entries)).archive, to: path, as: .kerasWeights)
    return try Zoo.load(entry, try WeightFile.open(path))
  }

  @Test("EfficientNet's published files hold deviations for variances and get the usual preprocessing")
  func published() throws {
    let loaded = try load([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    #expect(loaded.dialect.name == "keras" && loaded.preprocessing == loaded.dialect.preprocessing)
    // Rescaling(1/255), Normalization, Rescaling(1/√σ).
    let pixel = loaded.preprocessing.sized(resize: .none, crop: nil)(
      Image(width: 1, height: 1, model: .rgb, pixels: [200, 10, 90])
    ).values()
    let graph = zip([200, 10, 90] as [Float], zip([0.485, 0.456, 0.406], [0.229, 0.224, 0.225] as [Float]))
      .map {
        ($0 / 255 - $1.0) / $1.1.squareRoot() / $1.1.squareRoot()
      }
    #expect(zip(pixel, graph).allSatisfy { abs($0 - $1) < 1e-5 })
  }

  @Test("other statistics in a file are its preprocessing, and go back into Keras files")
  func own() throws {
    let loaded = try load([0, 0.25, 0.5], [1, 0.25, 4])
    #expect(loaded.preprocessing.mean == [0, 0.25, 0.5] && loaded.preprocessing.std == [1, 0.5, 2])
    let theirs = try loaded.kerasArchive()
    #expect(theirs["normalization/mean"]?.values() == [0, 0.25, 0.5])
    #expect(theirs["normalization/variance"]?.values() == [1, 0.25, 4])
  }
}
