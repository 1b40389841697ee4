import AviaryLayers
import AviaryTensors
import AviaryWeights
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

@Suite("Character models of TensorFlow 1")
struct TensorFlowCellTests {
  @Test(
    "variables and back: all but the forget gates' biases bit for bit, those within rounding, logits the same"
  )
  func bothWays() throws {
    let entry = try Catalogue.entry("charrnn")
    let map = try #require(try entry.dialects[0].loadNameMap(theirs: "tensorflow"))
    let model = CharRNN()
    for entry in model.stateEntries where !entry.name.contains("bias_hh") {
      entry.value = Tensor(DeterministicWeights.torch(entry.name, shape: entry.shape), shape: entry.shape)
    }
    // Their cells have one bias.
    for entry in model.stateEntries where entry.name.contains("bias_hh") { entry.value = .zeros(entry.shape) }
    let ours = try model.archive()
    let theirs = try map.exported(ours)
    #expect(theirs.unmatched.isEmpty && theirs.archive.count == 7)
    #expect(theirs.archive.spec("rnnlm/multi_rnn_cell/cell_1/basic_lstm_cell/weights")?.shape == [256, 512])
    let back = try map.imported(theirs.archive).archive
    #expect(Set(back.names) == Set(ours.names))
    for name in ours.names {
      let (one, other) = (try #require(ours[name]), try #require(back[name]))
      if name.contains("bias_ih") {
        let forget = 128..<256
        for (index, (first, second)) in zip(one.values(), other.values()).enumerated() {
          // 1 − x is rounded, and so is its sum with 1.
          #expect(forget.contains(index) ? abs(first - second) <= 0x1p-24 : first == second)
        }
      } else {
        #expect(one.values() == other.values(), "\(name)")
      }
    }

    let found = try #require(Zoo.identification(of: theirs.archive))
    #expect(found.entry.name == "charrnn" && found.nameMap == "tensorflow_charrnn" && found.fits)
    let path = FileManager.default.temporaryDirectory.appending(path: "aviary-\(UUID().uuidString).npz").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try WeightFile.write(theirs.archive, to: path, as: .npz)
    let loaded = try Zoo.network("charrnn", weights: path)
    let tokens: NamedTensors = ["tokens": Tensor((0..<12).map { Int64($0 * 7 % 65) }, shape: [1, 12])]
    let logits = loaded.network(loaded.network.completed(tokens))["logits"]
    #expect(relativeDifference(logits, model(model.completed(tokens))["logits"]) < 1e-6)
  }
}
