import Aviary
import Foundation
import TestSupport
import Testing

@testable import AviaryCLI
@testable import AviaryWeights
@testable import AviaryZoo

@Suite("Pulling from the command line", .serialized)
struct PullTests {
  /// A MobileNet as Keras publishes it; no digest of it is published.
  private func published() throws -> [UInt8] {
    try withTemporaryFolder { folder throws in
      let entry = try Catalogue.entry("mobilenet_v1_0.25")
      let path = "\(folder)/weights.h5"
      try WeightFile.write(try Zoo.untrained(entry).kerasArchive(), to: path, as: .kerasWeights)
      return Array(try #require(FileManager.default.contents(atPath: path)))
    }
  }

  @Test("pull from a mirror, predict without --weights, list, bundle, and add the bundle elsewhere")
  func pull() throws {
    let file = try published()
    let server = try LocalServer { request, _ in .init(file: file, tag: "\"1\"", to: request) }
    try withTemporaryFolder { folder throws in
      let picture = "\(folder)/x.png"
      try Image(width: 40, height: 40, model: .rgb, pixels: [UInt8](repeating: 90, count: 4800)).write(
        to: picture)
      let bundle = "\(folder)/bundle"
      try WeightCache.$current.withValue(WeightCache(folder: "\(folder)/a")) { () throws in
        let missing = aviary("predict", "mobilenet_v1_0.25", picture)
        #expect(missing.status == 1 && missing.errors.contains("aviary pull mobilenet_v1_0.25"))
        #expect(aviary("pull", "mobilenet_v1_0.25", "--offline").status == 1)

        let outcome = aviary("pull", "mobilenet_v1_0.25.keras", "--mirror", server.address, "--json")
        #expect(outcome.status == 0, "\(outcome.errors)")
        let json = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [[String: Any]]
        #expect(json?.first?["name"] as? String == "mobilenet_v1_0.25.keras")
        #expect(json?.first?["is_verified"] as? Bool == false)
        #expect(server.requests.map(\.path) == ["/mobilenet/mobilenet_2_5_224_tf.h5"])
        #expect(aviary("pull", "mobilenet_v1_0.25", "--offline").status == 0)

        let prediction = aviary("predict", "mobilenet_v1_0.25", picture, "--json")
        #expect(prediction.status == 0, "\(prediction.errors)")
        let loaded = try Zoo.load("mobilenet_v1_0.25.keras")
        #expect(loaded.source?.sha256 == sha256(file) && loaded.licence == "Apache-2.0")
        #expect(aviary("cache", "list").output.contains("mobilenet_2_5_224_tf.h5"))
        #expect(aviary("cache", "verify").status == 0)
        #expect(aviary("bundle", "mobilenet_v1_0.25", "--output", bundle).status == 0)
        #expect(aviary("bundle", "resnet18", "--output", bundle + "2").errors.contains("resnet18.tv_v1"))
      }
      try WeightCache.$current.withValue(WeightCache(folder: "\(folder)/b")) { () throws in
        let added = aviary("cache", "add", bundle)
        #expect(added.status == 0 && added.output.contains("mobilenet_v1_0.25.keras"), "\(added.errors)")
        #expect(aviary("predict", "mobilenet_v1_0.25", picture).status == 0)
        let path = try #require(try WeightCache.user().file("mobilenet_v1_0.25.keras")?.path)
        try Data(file.dropLast(1)).write(to: URL(fileURLWithPath: path))
        let damaged = aviary("predict", "mobilenet_v1_0.25", picture)
        #expect(damaged.status == 1 && damaged.errors.contains("damaged"))
        #expect(aviary("cache", "verify").status == 1)
        #expect(aviary("pull", "mobilenet_v1_0.25", "--force", "--mirror", server.address).status == 0)
        #expect(aviary("cache", "verify").status == 0)
        #expect(aviary("cache", "clear").status == 0)
        #expect(aviary("cache", "list").output == "the cache is empty")
      }
      #expect(server.requests.count == 2)
    }
  }

  private func sha256(_ bytes: [UInt8]) -> String { bytes.withUnsafeBytes(Digest.hex) }

  @Test("pulled weights know their dialect where tensors cannot tell it")
  func pulledDialect() throws {
    try withTemporaryFolder { folder throws in
      let path = "\(folder)/weights.safetensors"
      let model = try Zoo.model("mobilenet_v2")
      try WeightFile.write(
        try WeightArchive(model.stateEntries.map { ($0.name, $0.value) }), to: path, as: .safetensors)
      let file = Array(try #require(FileManager.default.contents(atPath: path)))
      let server = try LocalServer { request, _ in .init(file: file, tag: "\"1\"", to: request) }
      try WeightCache.$current.withValue(WeightCache(folder: folder)) { () throws in
        let second = try #require(try Catalogue.selection("mobilenet_v2.tv_v2").weights)
        // Random values have not the published digest.
        _ = try WeightCache.user().pull(
          second.name, file: second.file, Download(url: server.address + "/second"))
        for name in ["mobilenet_v2", "mobilenet_v2.tv_v2"] {
          let loaded = try Zoo.load(name)
          #expect(loaded.dialect.name == "tv_v2" && loaded.preprocessing.resize == .shortSide(232))
          #expect(loaded.metrics?["top1"] == 0.72154)
        }
        #expect(throws: NoWeights.self) { try Zoo.load("mobilenet_v2.tv_v1") }
        let inspected = aviary("inspect", path)
        #expect(inspected.output.contains("dialect tv_v1 (or tv_v2, with the same tensors)"))
        let portable = "\(folder)/second.safetensors"
        #expect(aviary("convert", path, portable, "--model", "mobilenet_v2.tv_v2", "--check").status == 0)
        #expect(try Zoo.load("mobilenet_v2", weights: portable).dialect.name == "tv_v2")
      }
    }
  }

  @Test(
    "files that belong to weights come with them, are checked, bundled, and read where the weights are used")
  func companions() throws {
    let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "AviaryZooTests/Fixtures/gpt2")
    func fixture(_ name: String) throws -> [UInt8] {
      Array(try Data(contentsOf: fixtures.appending(path: name)))
    }
    let settings: Settings = [
      "n_layer": .integer(1), "n_embd": .integer(16), "n_head": .integer(2), "n_positions": .integer(32),
      "vocab_size": .integer(372),
    ]
    let configuration = Array(
      #"{"n_layer": 1, "n_embd": 16, "n_head": 2, "n_positions": 32, "vocab_size": 372}"#.utf8)
    try withTemporaryFolder { folder throws in
      let loaded = try withRandomSeed(1) {
        try Zoo.untrainedNetwork(try Catalogue.entry("gpt2"), settings: settings)
      }
      let path = "\(folder)/model.safetensors"
      try WeightFile.write(
        try WeightArchive(loaded.network.stateEntries.map { ($0.name, $0.value) }), to: path, as: .safetensors
      )
      let files = [
        "/gpt2/model.safetensors": Array(try #require(FileManager.default.contents(atPath: path))),
        "/gpt2/vocab.json": try fixture("vocab.json"), "/gpt2/merges.txt": try fixture("merges.txt"),
        "/gpt2/config.json": configuration,
      ]
      let server = try LocalServer { request, _ in
        .init(file: files[request.path] ?? Array("<html>".utf8), tag: "\"1\"", to: request)
      }
      let published = try #require(try Catalogue.selection("gpt2.huggingface").weights)
      let vocabulary = sha256(try fixture("vocab.json"))
      func pull(_ digest: String? = nil, _ names: String...) throws -> WeightCache.Entry {
        try WeightCache.user().pull(
          published.name, file: published.file, Download(url: server.address + "/gpt2/model.safetensors"),
          companions: names.map { name in
            CompanionDownload(
              file: name, url: "\(server.address)/gpt2/\(name)",
              digest: name == "vocab.json" ? digest.map { .sha256($0) } : nil, byteCount: nil)
          })
      }
      let words = ["write", "gpt2", "--prompt", "the", "--length", "3", "--seed", "2"]
      let bundle = "\(folder)/bundle"
      var written = ""
      try WeightCache.$current.withValue(WeightCache(folder: "\(folder)/a")) { () throws in
        // As a cache that was filled before there were companions.
        #expect(try pull().companions.isEmpty)
        #expect(throws: DownloadError.self) { try pull(String(repeating: "0", count: 64), "vocab.json") }
        #expect(throws: DownloadError.self) { try pull(nil, "other.json") }
        let requests = server.requests.count
        let entry = try pull(vocabulary, "vocab.json", "merges.txt", "config.json")
        #expect(entry.companions.map(\.file) == ["vocab.json", "merges.txt", "config.json"])
        #expect(server.requests.dropFirst(requests).allSatisfy { !$0.path.hasSuffix(".safetensors") })
        let outcome = aviary(words)
        #expect(outcome.status == 0 && outcome.output.hasPrefix("the"), "\(outcome.errors)")
        written = outcome.output
        #expect(aviary("cache", "verify").status == 0)
        let json = aviary("pull", "gpt2", "--offline", "--json")
        #expect(
          json.output.contains("vocab.json") && json.output.contains("\"is_verified\""), "\(json.errors)")
        #expect(aviary("bundle", "gpt2", "--output", bundle).status == 0)
        // A changed companion is found, and fetched again alone.
        try Data("{}".utf8).write(to: URL(filePath: "\(entry.companionFolder)/vocab.json"))
        let damaged = aviary(words)
        #expect(damaged.status == 1 && damaged.errors.contains("vocab.json of gpt2.huggingface is damaged"))
        #expect(aviary("cache", "verify").status == 1)
        let before = server.requests.count
        _ = try pull(vocabulary, "vocab.json", "merges.txt", "config.json")
        #expect(server.requests.dropFirst(before).map(\.path) == ["/gpt2/vocab.json"])
        #expect(aviary(words).output == written)
        #expect(aviary("cache", "clear").status == 0)
        #expect(!FileManager.default.fileExists(atPath: entry.companionFolder))
      }
      try WeightCache.$current.withValue(WeightCache(folder: "\(folder)/b")) { () throws in
        // Not the published file: the bundle is refused under the published name, and taken by whoever asks for no digest.
        #expect(aviary("cache", "add", bundle).status == 1)
        let cache = try WeightCache.user()
        #expect(try cache.add(bundle: bundle).first?.companions.count == 3)
        #expect(aviary(words).output == written)
        let index = "\(bundle)/index.json"
        let text = try String(contentsOfFile: index, encoding: .utf8)
        try text.replacing("\"vocab.json\"", with: "\"../../vocab.json\"").write(
          toFile: index, atomically: true, encoding: .utf8)
        #expect(throws: WeightsError.self) { try cache.add(bundle: bundle) }
      }
    }
  }

  @Test("the published digest decides, and errors are sentences")
  func errors() throws {
    let file = try published()
    let server = try LocalServer { request, _ in
      request.path.hasSuffix(".pth")
        ? .init(Array("<html>Sign in</html>".utf8)) : .init(file: file, tag: "\"1\"", to: request)
    }
    try withTemporaryFolder { folder throws in
      try WeightCache.$current.withValue(WeightCache(folder: folder)) { () throws in
        func message(_ words: String...) -> String {
          let outcome = aviary(words)
          #expect(outcome.status != 0 && outcome.errors.hasPrefix("aviary: "))
          return outcome.errors
        }
        #expect(
          message("pull", "vgg16.keras", "--mirror", server.address).contains(
            "64373286793e3c8b2b4e3219cbf3544b"))
        #expect(message("pull", "vgg16", "--mirror", server.address).contains("a web page"))
        #expect(
          message("pull", "mobilenet_v1_1.0", "--mirror", server.address).contains(
            "weights of mobilenet_v1_0.25"))
        #expect(message("pull", "vgg16.tf").contains("vgg16.tv_v1, vgg16.keras"))
        #expect(message("pull", "vgg61").contains("did you mean"))
        #expect(message("pull", "lenet").contains("--weights"))
        #expect(message("pull").contains("usage"))
        #expect(message("cache", "fill").contains("list, verify, clear or add"))
        #expect(message("cache", "add", "\(folder)/none").contains("no bundle"))
        #expect(try WeightCache.user().entries().isEmpty)
      }
    }
  }
}

@Suite("The registry")
struct RegistryTests {
  @Test("every published set of weights has one name, one address and a digest that can be one")
  func cards() throws {
    var names = Set<String>()
    for entry in Catalogue.entries {
      for weights in try entry.published() {
        #expect(names.insert(weights.name).inserted, "\(weights.name)")
        #expect(entry.dialect(named: weights.card.dialect) != nil, "\(weights.name)")
        let url = try weights.url()
        #expect(url.hasPrefix("https://") && URL(string: url) != nil, "\(url)")
        #expect(try weights.url(mirror: "http://here/m").hasPrefix("http://here/m/"))
        #expect(try Catalogue.selection(weights.name).weights?.name == weights.name)
        for (companion, download) in zip(weights.card.companions ?? [], try weights.companions()) {
          #expect(download.file == companion.file && companion.sha256?.count ?? 64 == 64)
        }
        switch weights.digest {
        case .sha256(let digits): #expect(digits.count == 64)
        case .sha256Prefix(let digits): #expect(digits.count == 8 && url.contains("-\(digits)."))
        case .md5(let digits): #expect(digits.count == 32)
        case .gitBlob(let digits): #expect(digits.count == 40)
        case nil: break
        }
      }
    }
    #expect(
      try Catalogue.selection("resnet50.keras_v1").weights?.url()
        == "https://storage.googleapis.com/tensorflow/keras-applications/resnet/resnet50_weights_tf_dim_ordering_tf_kernels.h5"
    )
    #expect(
      try Catalogue.selection("resnet50.tv_v1").weights?.url()
        == "https://download.pytorch.org/models/resnet50-0676ba61.pth")
  }
}
