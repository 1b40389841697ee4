import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

private let assets = ProcessInfo.processInfo.environment["AVIARY_ASSETS"]

@Suite("Tiny Darknet")
struct TinyDarknetTests {
  @Test("a .weights file goes out and comes back bit-equal")
  func stream() throws {
    let model = TinyDarknet(classes: 1000)
    for entry in model.stateEntries {
      entry.value = Tensor(DeterministicWeights.torch(entry.name, shape: entry.shape), shape: entry.shape)
    }
    #expect(Set(model.stream.map(\.name)) == Set(model.stateEntries.map(\.name)))
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tiny-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appendingPathComponent("tiny.weights").path
    try WeightFile.write(try model.stream(of: model.archive()), to: path, as: .darknet)
    let loaded = try Zoo.load("tiny_darknet", weights: path)
    #expect(loaded.dialect.name == "darknet")
    for (own, read) in zip(model.stateEntries, loaded.model.stateEntries) {
      #expect(own.value.values() == read.value.values(), "\(own.name)")
    }
  }

  @Test("darknet's classes have the names of ours in another order")
  func labels() throws {
    let (own, darknet) = (try LabelSet.imagenet.names(), try LabelSet.imagenetDarknet.names())
    #expect(own.sorted() == darknet.sorted() && darknet[0] == "kit fox" && darknet[448] == "tench")
  }

  @Test(
    "real weights give Keras' probabilities, and the five best classes of each picture",
    .enabled(if: assets != nil, "AVIARY_ASSETS names no folder with real weights"))
  func real() throws {
    let assets = try #require(assets)
    let loaded = try Zoo.load("tiny_darknet", weights: "\(assets)/weights/tiny_darknet_imagenet.h5")
    #expect(loaded.dialect.name == "keras")
    let reference = try WeightFile.open("\(assets)/data/reference_keras.safetensors").archive
    let input =
      try #require(reference["tiny_darknet_keras.input_u8_nhwc"]).cast(to: .float32)
      .permuted([0, 3, 1, 2]) * (1 / 255)
    let wanted = try #require(reference["tiny_darknet_keras.probs"])
    #expect(relativeDifference(loaded.model(input).softmax(), wanted) < 1e-4)

    struct Expected: Decodable {
      let file: String
      let best: [Candidate]
      struct Candidate: Decodable {
        let index: Int
        let probability: Float
        init(from decoder: any Decoder) throws {
          var list = try decoder.unkeyedContainer()
          index = try list.decode(Int.self)
          _ = try list.decode(String.self)
          probability = try list.decode(Float.self)
        }
      }
      enum CodingKeys: String, CodingKey {
        case file
        case best = "tiny_darknet_top5"
      }
    }
    let json = try Data(contentsOf: URL(filePath: "\(assets)/data/imagenet_expected.json"))
    for picture in try JSONDecoder().decode([Expected].self, from: json) {
      let image = try Image(contentsOf: "\(assets)/images/imagenet/\(picture.file)")
      let (values, positions) = loaded.logits([image]).softmax().topK(5)
      #expect(
        positions.values(of: Int64.self).map(Int.init) == picture.best.map(\.index), "\(picture.file)")
      for (value, candidate) in zip(values.values(), picture.best) {
        #expect(abs(value - candidate.probability) < 0.01, "\(picture.file)")
      }
    }
  }
}
