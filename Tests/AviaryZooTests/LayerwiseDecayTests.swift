import AviaryLayers
import AviaryTraining
import Testing

@testable import AviaryZoo

@Suite("Layer-wise decay of the learning rate")
struct LayerwiseDecayTests {
  @Test(
    "each stage has a fixed share of the rate of the one above, the last one the whole",
    arguments: ["resnet18", "vit_b_16"])
  func stages(name: String) throws {
    let model = try Zoo.untrained(try Catalogue.entry(name)).model
    let groups = model.layerwiseGroups(decay: 0.5)
    let rates = model.namedParameters.map { name, parameter in
      groups.filter { $0.parameters.contains(name, parameter.shape) }.map(\.rateFactor)
    }
    // No parameter is in two stages, and none but those outside of all stages is in none.
    #expect(rates.allSatisfy { $0.count <= 1 })
    #expect(groups.last?.rateFactor == 1)
    #expect(zip(groups, groups.dropFirst()).allSatisfy { $0.rateFactor * 2 == $1.rateFactor })
    #expect(rates.first?.first == groups.first?.rateFactor)
    #expect(rates.last == [1])
    #expect(rates.filter(\.isEmpty).count <= 2)
  }
}
