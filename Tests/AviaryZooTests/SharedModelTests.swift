import AviaryLayers
import AviaryTensors
import AviaryZoo
import TestSupport
import Testing

@Suite("Models of the zoo that threads share")
struct SharedModelTests {
  /// What a task holds: a network, and what is bound to its weights.
  private struct Task: Sendable {
    let labels: [String]
    let network: SharedNetwork

    init(_ loaded: sending LoadedClassifier) {
      labels = loaded.labels
      network = SharedNetwork(layer: loaded.model, output: "logits")
    }
  }

  @Test("a loaded model becomes part of a value that any thread may use")
  func handedOver() async throws {
    let task = Task(try Zoo.load("lenet"))
    let loaded = try Zoo.load("lenet")
    let input = sample([2] + loaded.inputShape)
    let expected = loaded.model(input)
    #expect(task.labels == loaded.labels)
    #expect(relativeDifference(task.network(input), expected) < 1e-5)
    // By the protocol alone, as the zoo has it.
    let network = SharedNetwork(layer: try Zoo.model("lenet"))
    #expect(network(input).shape == expected.shape)
  }
}
