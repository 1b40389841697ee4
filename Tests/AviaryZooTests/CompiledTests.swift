import AviaryLayers
import AviaryTensors
import CThreads
import TestSupport
import Testing

@testable import AviaryZoo

@Suite("Compiled models")
struct CompiledTests {
  /// Statistics other than 0 and 1 and scales other than 1, so that folding them is really tested.
  private func prepared(_ name: String, _ dialect: Dialect) throws -> any StagedModel {
    let model = dialect.make(try Catalogue.entry(name).card().classes)
    for entry in model.stateEntries where !entry.isFixed {
      entry.value = Tensor(DeterministicWeights.torch(entry.name, shape: entry.shape), shape: entry.shape)
    }
    return model
  }

  @Test(
    "every model and dialect: compiled equals eager, for many runs and for one",
    arguments: Catalogue.entries(.classification).map(\.name))
  func equalsEager(name: String) throws {
    let entry = try Catalogue.entry(name)
    let card = try entry.card()
    let side = entry.smallestSide.map { $0 + 13 } ?? card.input[1]
    let input = sample([2, card.input[0], side, side])
    for dialect in entry.networks {
      let model = try prepared(name, dialect)
      let expected = withExactArithmetic { model(input) }
      for algorithms in [AlgorithmChoice.measured, .once] {
        let compiled = model.compiled(for: input.shape, algorithms: algorithms)
        let first = compiled(input)
        #expect(relativeDifference(first, expected) < 1e-4, "\(dialect.name)")
        clear_invalid_flag()
        #expect(compiled(input).values() == first.values(), "a second run differs")
        #expect(!has_invalid_flag(), "done again with care for nothing")
      }
    }
    CachingAllocator.trim()
  }

  @Test(
    "one NaN in the picture reaches every logit, compiled and eager",
    arguments: ["resnet18", "mobilenet_v2", "efficientnet_b0", "vgg11", "squeezenet1_1", "inception_v3"])
  func keepsNaN(name: String) throws {
    let entry = try Catalogue.entry(name)
    let model = try prepared(name, entry.dialects[0])
    let side = max(entry.smallestSide ?? 64, 64)
    var input = sample([1, 3, side, side])
    let middle = side * side * 3 / 2 + side / 2
    input.withUnsafeMutableValues { $0[middle] = .nan }
    #expect(model(input).values().allSatisfy { $0.isNaN })
    #expect(model.compiled(for: input.shape)(input).values().allSatisfy { $0.isNaN })
  }

  @Test(
    "bfloat16 on request: the same class, within 3 % of the largest logit; float32 where the processor has none",
    arguments: ["resnet18", "vgg11", "mobilenet_v1_0.5"])
  func bfloat16(name: String) throws {
    let model = try prepared(name, try Catalogue.entry(name).dialects[0])
    let input = sample([1, 3, 96, 96])
    let expected = model(input)
    let rounded = model.compiled(for: input.shape, precision: .bfloat16)(input)
    #expect(relativeDifference(rounded, expected) < 3e-2)
    #expect((relativeDifference(rounded, expected) > 1e-4) == DType.bfloat16.isComputed)
    #expect(rounded.argMax().values(of: Int64.self) == expected.argMax().values(of: Int64.self))
  }

  @Test("another shape is planned anew")
  func otherShapes() throws {
    let model = try Zoo.model("resnet18")
    let compiled = model.compiled(for: [1, 3, 64, 64])
    for shape in [[2, 3, 64, 64], [1, 3, 96, 40], [1, 3, 64, 64]] {
      let input = sample(shape)
      #expect(relativeDifference(compiled(input), model(input)) < 1e-4)
    }
  }

  @Test("a thousand runs leave memory as it was")
  func steadyMemory() throws {
    let compiled = try Zoo.model("lenet").compiled(for: [1, 1, 28, 28])
    let input = sample([1, 1, 28, 28])
    _ = compiled(input)
    let before = CachingAllocator.statistics
    for _ in 0..<1000 { _ = compiled(input) }
    #expect(CachingAllocator.statistics == before)
  }
}
