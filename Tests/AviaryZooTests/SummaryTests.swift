import AviaryLayers
import AviaryTensors
import AviaryZoo
import Testing

@Suite("Published sizes of networks")
struct SummaryTests {
  /// A network with the numbers that torchvision (Keras for MobileNet) publishes or that its paper states.
  struct Published: Sendable, CustomTestStringConvertible {
    let name: String
    let parameters: Int
    /// In thousand millions, to three decimals.
    let gigaMultiplyAdds: Double
    let make: @Sendable () -> any Layer
    var testDescription: String { name }
  }

  static let networks = [
    Published(name: "alexnet", parameters: 61_100_840, gigaMultiplyAdds: 0.714) { AlexNet() },
    Published(name: "vgg16", parameters: 138_357_544, gigaMultiplyAdds: 15.470) { VGG(.vgg16) },
    Published(name: "vgg19", parameters: 143_667_240, gigaMultiplyAdds: 19.632) { VGG(.vgg19) },
    Published(name: "resnet18", parameters: 11_689_512, gigaMultiplyAdds: 1.814) { ResNet(.resnet18) },
    Published(name: "resnet34", parameters: 21_797_672, gigaMultiplyAdds: 3.664) { ResNet(.resnet34) },
    Published(name: "resnet50", parameters: 25_557_032, gigaMultiplyAdds: 4.089) { ResNet(.resnet50) },
    Published(name: "resnet101", parameters: 44_549_160, gigaMultiplyAdds: 7.801) { ResNet(.resnet101) },
    Published(name: "resnet152", parameters: 60_192_808, gigaMultiplyAdds: 11.514) { ResNet(.resnet152) },
    // Table 8 of the paper: 4.2 million parameters, 569 million multiply-adds.
    Published(name: "mobilenet", parameters: 4_231_976, gigaMultiplyAdds: 0.569) { MobileNet() },
  ]

  @Test("parameters and multiply-adds at 224×224", arguments: networks)
  func sizes(network: Published) {
    let model = network.make()
    let summary = Summary(of: model, inputShape: [1, 3, 224, 224])
    #expect(summary.parameters == network.parameters)
    #expect((Double(summary.multiplyAdds) / 1e6).rounded() / 1000 == network.gigaMultiplyAdds)
    #expect(summary.outputShape == [1, 1000])
    #expect(summary.rows.reduce(0) { $0 + $1.parameters } == summary.parameters)
  }

  @Test("a row names its module, counts a shared parameter once, and shows what is frozen")
  func rows() throws {
    let model = ResNet(.resnet50)
    model.freeze("conv1", "bn1", "layer1")
    let summary = Summary(of: model, inputShape: [1, 3, 224, 224])
    let first = try #require(summary.rows.first)
    #expect(first.name == "conv1" && first.operation == "Conv" && first.parameters == 9_408)
    #expect(first.outputShape == [1, 64, 112, 112] && first.receptiveField == [7, 7] && first.isFrozen)
    let row = try #require(summary.rows.first { $0.name == "layer4.0.downsample.0" })
    #expect(row.outputShape == [1, 2048, 7, 7] && row.parameters == 1024 * 2048 && !row.isFrozen)
    let frozen = 9_408 + 128 + 215_808
    #expect(summary.trainableParameters == 25_557_032 - frozen)
    #expect(summary.rows.filter(\.isFrozen).reduce(0) { $0 + $1.parameters } == frozen)
  }

  @Test("a summary makes no weights")
  func abstract() {
    CachingAllocator.resetPeak()
    let start = CachingAllocator.statistics.inUse
    #expect(Summary(of: VGG(.vgg16), inputShape: [1, 3, 224, 224]).parameters > 100_000_000)
    #expect(CachingAllocator.statistics.peak - start < 1_000_000)
  }
}
