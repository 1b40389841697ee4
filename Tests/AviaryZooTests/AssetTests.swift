import AviaryTensors
import AviaryTraining
import AviaryVision
import AviaryWeights
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

/// Real weights on real pictures, which are too large for the repository: the folder is in `AVIARY_ASSETS`.
private let assets = ProcessInfo.processInfo.environment["AVIARY_ASSETS"]

@Suite("Real weights", .enabled(if: assets != nil, "AVIARY_ASSETS names no folder with real weights"))
struct AssetTests {
  private struct Expected: Decodable {
    let file: String
    let top5: [Candidate]

    struct Candidate: Decodable {
      let index: Int
      let probability: Float

      init(from decoder: Decoder) throws {
        var list = try decoder.unkeyedContainer()
        index = try list.decode(Int.self)
        _ = try list.decode(String.self)
        probability = try list.decode(Float.self)
      }
    }

    enum CodingKeys: String, CodingKey {
      case file
      case top5 = "mobilenet_v1_025_top5"
    }
  }

  @Test("MobileNet 0.25 from Keras gives the five best classes of each picture, in order, within 0.01")
  func mobileNet() throws {
    let assets = try #require(assets)
    let json = try Data(contentsOf: URL(filePath: "\(assets)/data/imagenet_expected.json"))
    let expected = try JSONDecoder().decode([Expected].self, from: json)
    #expect(expected.count == 20)
    let loaded = try Zoo.load("mobilenet_v1_0.25", weights: "\(assets)/weights/mobilenet_2_5_224_tf.h5")
    #expect(loaded.dialect.name == "keras")
    for picture in expected {
      let image = try Image(contentsOf: "\(assets)/images/imagenet/\(picture.file)")
      let (values, positions) = loaded.logits([image]).softmax().topK(5)
      #expect(positions.values(of: Int64.self).map(Int.init) == picture.top5.map(\.index), "\(picture.file)")
      for (value, candidate) in zip(values.values(), picture.top5) {
        #expect(abs(value - candidate.probability) < 0.01)
      }
    }
  }

  @Test("a LeNet of a Keras user reads 99.02 % of MNIST's test digits, the shipped one more than 99 %")
  func leNet() throws {
    let assets = try #require(assets)
    let digits = try MNIST(folder: "\(assets)/data/mnist", isTraining: false)
    let theirs = try Zoo.load("lenet", weights: "\(assets)/weights/lenet_mnist_keras_sam783.h5")
    #expect(theirs.dialect.name == "keras_wide")
    #expect(try theirs.model.evaluation(on: digits, batchSize: 500).accuracy == 0.9902)
    let ours = try Zoo.load("lenet")
    let accuracy = try ours.model.evaluation(on: digits, batchSize: 500).accuracy
    #expect(accuracy >= 0.99)
    let card = try Catalogue.entry("lenet").card()
    #expect(card.weights.first?.top1 == (Double(accuracy) * 10_000).rounded() / 100)
  }

  @Test("ResNet-20 for CIFAR-10 gives PyTorch's logits and reads 81.35 % of the test pictures")
  func resNet20() throws {
    let assets = try #require(assets)
    let loaded = try Zoo.load("resnet20", weights: "\(assets)/weights/resnet20-cifar10-12fca82f.th")
    #expect(loaded.dialect.name == "cifar10")
    let expected = try GoldenFile(URL(filePath: "\(assets)/data/reference_torch.safetensors"))
    let input = try #require(expected["resnet_cifar.input"])
    let logits = try #require(expected["resnet20.logits"])
    #expect(relativeDifference(loaded.model(input), logits) < 1e-4)

    let preprocessing = loaded.preprocessing
    let pictures = try CIFAR10(
      files: ["\(assets)/data/cifar10/test_2000.bin.gz"], mean: preprocessing.mean, std: preprocessing.std)
    #expect(pictures.classNames == loaded.labels)
    #expect(pictures.count == 2000)
    #expect(try loaded.model.evaluation(on: pictures, batchSize: 250).accuracy == 0.8135)
  }

  @Test("ResNet-8 of MLPerf Tiny gives Keras' probabilities and reads 76.4 % of the test pictures")
  func resNet8() throws {
    let assets = try #require(assets)
    let path = "\(assets)/weights/resnet8_cifar10_mlperftiny.h5"
    let loaded = try Zoo.load("resnet8", weights: path)
    #expect(loaded.dialect.name == "mlperf_tiny")
    let expected = try GoldenFile(URL(filePath: "\(assets)/data/reference_keras.safetensors"))
    let pixels = try #require(expected["resnet8.input_0_255_nhwc"])
    let probabilities = try #require(expected["resnet8.probs"])
    let input = pixels.permuted([0, 3, 1, 2])
    #expect(relativeDifference(loaded.model(input).softmax(), probabilities) < 1e-4)

    let pictures = try CIFAR10(
      files: ["\(assets)/data/cifar10/test_2000.bin.gz"], divisor: loaded.preprocessing.divisor)
    #expect(pictures.classNames == loaded.labels)
    #expect(try loaded.model.evaluation(on: pictures, batchSize: 250).accuracy == 0.764)
    let card = try Catalogue.entry("resnet8").card().weights[0]
    #expect(FileManager.default.contents(atPath: path)?.count == card.bytes)
  }

  @Test("the person detector of MLPerf Tiny gives Keras' probabilities, and its file is the published one")
  func visualWakeWords() throws {
    let assets = try #require(assets)
    let path = "\(assets)/weights/mobilenetv1_025_vww96_mlperftiny.h5"
    let loaded = try Zoo.load("mobilenet_v1_0.25_vww", weights: path)
    #expect(loaded.labels == ["no person", "person"])
    let expected = try GoldenFile(URL(filePath: "\(assets)/data/reference_keras.safetensors"))
    let pixels = try #require(expected["vww96.input_u8_nhwc"])
    let bytes = pixels.values(of: UInt8.self)
    let size = 96 * 96 * 3
    let pictures = (0..<pixels.shape[0]).map { index in
      Image(
        width: 96, height: 96, model: .rgb, pixels: Array(bytes[(index * size)..<((index + 1) * size)]))
    }
    let probabilities = try #require(expected["vww96.probs_noperson_person"])
    #expect(relativeDifference(loaded.logits(pictures).softmax(), probabilities) < 1e-4)
    let card = try Catalogue.entry("mobilenet_v1_0.25_vww").card().weights[0]
    #expect(FileManager.default.contents(atPath: path)?.count == card.bytes)
  }
}
