import AviaryLayers
import AviaryTensors
import AviaryWeights
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

private let assets = ProcessInfo.processInfo.environment["AVIARY_ASSETS"]

@Suite("Character models")
struct CharRNNTests {
  @Test("compiled equals eager, with the state of zeros made where none is given, and pieces equal the whole")
  func compiled() {
    let model = CharRNN()
    let tokens = Tensor((0..<24).map { Int64($0 * 5 % 65) }, shape: [2, 12])
    let compiled = model.compiled()
    let whole = model(model.completed(["tokens": tokens]))
    let first = compiled(["tokens": tokens.sliced(1, 0..<7)])
    let second = compiled([
      "tokens": tokens.sliced(1, 7..<12), "hidden": first["hidden"], "cell": first["cell"],
    ])
    let joined = concatenate([first["logits"], second["logits"]], axis: 1)
    #expect(relativeDifference(joined, whole["logits"]) < 1e-5)
    #expect(relativeDifference(second["cell"], whole["cell"]) < 1e-5)
  }

  /// The real model of Shakespeare, and the number of each character.
  private func shakespeare(_ assets: String) throws -> (model: CharRNN, vocabulary: [Character: Int64]) {
    let model = CharRNN()
    try model.load(from: "\(assets)/weights/charrnn_shakespeare.pth")
    let json = try Data(contentsOf: URL(filePath: "\(assets)/data/text/charrnn_shakespeare_vocab.json"))
    let numbers = try JSONDecoder().decode([String: Int64].self, from: json)
    return (model, Dictionary(uniqueKeysWithValues: numbers.map { (Character($0.key), $0.value) }))
  }

  @Test(
    "Shakespeare's: logits as PyTorch's, 1.3203 nats a character, and the text that it likes best",
    .enabled(if: assets != nil, "AVIARY_ASSETS names no folder with real weights"))
  func shakespeare() throws {
    let assets = try #require(assets)
    let (model, vocabulary) = try shakespeare(assets)
    let reference = try WeightFile.open("\(assets)/data/reference_torch.safetensors").archive
    let ids = try #require(reference["charrnn.ids"])
    let (logits, state) = model(ids.reshaped([1, ids.count]))
    #expect(relativeDifference(logits.squeezed(0), try #require(reference["charrnn.logits"])) < 1e-5)
    #expect(relativeDifference(state.hidden.squeezed(1), try #require(reference["charrnn.h"])) < 1e-5)

    let text = try String(contentsOfFile: "\(assets)/data/text/tinyshakespeare.txt", encoding: .utf8)
    let tokens = try text.prefix(20_000).map { try #require(vocabulary[$0]) }
    let compiled = model.compiled()
    var inputs: NamedTensors = [:]
    var (nats, right) = (Float(0), 0)
    let piece = 100
    for start in stride(from: 0, to: tokens.count, by: piece) {
      inputs["tokens"] = Tensor(Array(tokens[start..<start + piece]), shape: [1, piece])
      let outputs = compiled(inputs)
      let targets = Array(tokens[(start + 1)...].prefix(piece))
      let logits = outputs["logits"].squeezed(0).sliced(0, 0..<targets.count)
      let places = Tensor(targets, shape: [targets.count, 1])
      nats -= logits.logSoftmax().gathered(1, places).sum().item()
      right += zip(logits.argMax().values(of: Int64.self), targets).count { $0 == $1 }
      (inputs["hidden"], inputs["cell"]) = (outputs["hidden"], outputs["cell"])
    }
    #expect(abs(nats / Float(tokens.count - 1) - 1.3203) < 1e-3)
    #expect(abs(Float(right) / Float(tokens.count - 1) - 0.591) < 2e-3)

    let characters = Dictionary(uniqueKeysWithValues: vocabulary.map { ($0.value, $0.key) })
    var written = "The "
    var (next, memory) = model(Tensor(written.map { vocabulary[$0]! }, shape: [1, written.count]))
    while written.count < 60 {
      let best = next.selected(1, next.shape[1] - 1).argMax().item(as: Int64.self)
      written.append(characters[best]!)
      (next, memory) = model(Tensor([best], shape: [1, 1]), memory)
    }
    #expect(written.hasPrefix("The t offis on the world as the world as the world and the"))
  }
}
