import AviaryLayers
import AviaryTraining
import TestSupport
import Testing

@testable import AviaryTensors
@testable import AviaryZoo

/// oneDNN answers every request, but for some only with a loop a hundred times slower whose name begins with `ref`.
@Suite("No slow kernels on the common path")
struct ImplementationTests {
  private func slowKernels(_ body: () -> Void) -> [String] {
    PrimitiveCache.removeAll()
    body()
    let used = PrimitiveCache.implementations
    #expect(used.count > 10)
    return used.filter { $0.implementation.hasPrefix("ref") }.map { "\($0.role): \($0.implementation)" }
      .sorted()
  }

  @Test("the forward passes of AlexNet, VGG-16, ResNet-18, ResNet-50 and MobileNet")
  func forward() {
    let models: [(String, () -> any Layer)] = [
      ("alexnet", { AlexNet() }), ("vgg16", { VGG(.vgg16) }), ("resnet18", { ResNet(.resnet18) }),
      ("resnet50", { ResNet(.resnet50) }), ("mobilenet", { MobileNet() }),
    ]
    let x = sample([1, 3, 224, 224])
    for (name, make) in models {
      let model = withRandomSeed(1) { make() }
      let slow = slowKernels { #expect(model(x).shape == [1, 1000]) }
      #expect(slow.isEmpty, "\(name)")
    }
  }

  @Test(
    "the forward pass of a member of each later family",
    arguments: [
      "squeezenet1_1", "googlenet", "inception_v3", "xception", "resnext50_32x4d", "resnet50_v2", "resnet20",
      "resnet8", "densenet121", "mobilenet_v2", "mobilenet_v3_small", "efficientnet_b0", "convnext_tiny",
    ])
  func forward(name: String) throws {
    let card = try Catalogue.entry(name).card()
    let model = try withRandomSeed(1) { try Zoo.model(name) }
    let x = sample([1] + card.input)
    let slow = slowKernels { #expect(model(x).shape == [1, card.classes]) }
    #expect(slow.isEmpty)
    CachingAllocator.trim()
  }

  @Test("a training step of ResNet-18")
  func training() {
    let slow = slowKernels {
      withRandomSeed(1) {
        let model = ResNet(.resnet18)
        model.train()
        let x = sample([2, 3, 224, 224])
        let (_, gradients) = valueAndGradient(of: model) {
          softmaxCrossEntropy(model(x), labels: Tensor([Int64(3), 7]))
        }
        SGD(learningRate: 0.1, momentum: 0.9).update(model, gradients)
      }
    }
    // Of logits, which are few; oneDNN has a fast one for AVX-512 only.
    let small: Set = OneDNN.usesAVX512 ? [] : ["softmax, gradient: ref:any"]
    #expect(small.isSuperset(of: slow))
  }
}
