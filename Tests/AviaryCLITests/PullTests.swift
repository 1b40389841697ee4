import Aviary
import Foundation
import TestSupport
import Testing

@testable import AviaryCLI
@testable import AviaryWeights

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
