import AviaryLayers
import AviaryTensors
import Testing

@testable import AviaryZoo

/// The sizes of all other networks are asserted through their cards.
@Suite("Summaries of networks")
struct SummaryTests {
  @Test("ResNet-50 has 25 557 032 parameters and 4.089 thousand million multiply-adds at 224×224")
  func resNet50() {
    let summary = Summary(of: ResNet(.resnet50), inputShape: [1, 3, 224, 224])
    #expect(summary.parameters == 25_557_032)
    #expect((Double(summary.multiplyAdds) / 1e6).rounded() / 1000 == 4.089)
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
