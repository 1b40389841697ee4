import AviaryLayers
import AviaryTensors
import AviaryVision
import TestSupport
import Testing

@testable import AviaryZoo

/// Full-size networks with deterministic weights against torchvision (`tools/reference/segmenter_fixtures.py`).
@Suite("FCN and DeepLab v3")
struct FCNTests {
  static let configurations: [String: FCN.Configuration] = [
    "fcn_resnet50": .fcn, "deeplabv3_resnet50": .deepLab,
  ]

  @Test("both outputs of a picture of odd size", arguments: configurations.keys.sorted())
  func outputs(name: String) throws {
    let fixture = try denseFixture("segmenters")
    let network = FCN(try #require(Self.configurations[name]))
    network.fillDeterministically()
    let counts = try #require(fixture["\(name).counts"]).values(of: Int64.self).map(Int.init)
    #expect([network.stateEntries.count, network.parameterCount] == counts)
    let inputs: NamedTensors = ["image": deterministicInput([1, 3, 75, 101])]
    for outputs in [network(inputs), network.compiled()(inputs)] {
      #expect(outputs.names == ["out", "aux"])
      for (output, tensor) in outputs.elements {
        #expect(tensor.shape == [1, 21, 75, 101])
        let most = try #require(fixture["\(name).\(output).most"]).item()
        let expected = try #require(fixture["\(name).\(output)"]).values()
        let values = tensor.values()
        let given = stride(from: 0, to: values.count, by: 7).map { values[$0] }
        let difference = zip(given, expected).map { abs($0 - $1) }.max() ?? .infinity
        #expect(
          given.count == expected.count && difference < 1e-4 * most, "\(output): \(difference) of \(most)")
      }
    }
    CachingAllocator.trim()
  }

  @Test("without the auxiliary head there is one output")
  func single() {
    var configuration = FCN.Configuration.fcn
    configuration.hasAuxiliary = false
    #expect(FCN(configuration).signature.outputs.map(\.name) == ["out"])
  }
}
