import AviaryLayers
import AviaryTensors
import Foundation
import TestSupport
import Testing

@testable import AviaryWeights

/// Weights of Keras' recurrent layers against Keras' own outputs; see `tools/reference/keras_recurrent_fixtures.py`.
@Suite("Recurrent layers of Keras")
struct KerasRecurrentTests {
  private func map(_ rules: String...) throws -> NameMap {
    try NameMap(
      json: Array(
        #"{"summary": "layers", "theirs": "keras", "rules": [\#(rules.joined(separator: ", "))]}"#.utf8))
  }

  private func rule(_ theirs: String, _ ours: String, _ kind: String) -> String {
    #"{"theirs": "\#(theirs)", "ours": "\#(ours)", "recurrent": "\#(kind)"}"#
  }

  /// A layer with the weights that a map finds in the file, and its output is compared.
  private func compare<Cell>(
    _ name: String, _ layer: Recurrent<Cell>, _ map: NameMap, film: Bool = false
  ) throws {
    let expected = try NumPyFile.readArchive(Fixture.path("keras_recurrent_expected.npz"))
    let weights = try map.imported(WeightFile.open(Fixture.path("keras_recurrent.weights.h5")).archive)
      .archive
    #expect(Set(layer.namedParameters.map(\.name)) == Set(weights.names))
    for (name, parameter) in layer.namedParameters { parameter.value = try #require(weights[name]) }
    let result = try #require(expected[name])
    if film {
      let input = try #require(expected["films"]).permuted([0, 1, 4, 2, 3])
      #expect(relativeDifference(layer(input).output.permuted([0, 1, 3, 4, 2]), result) < 1e-5)
    } else {
      #expect(relativeDifference(layer(try #require(expected["sequences"])).output, result) < 1e-5)
    }
    // And back: the same numbers under their names.
    let theirs = try WeightFile.open(Fixture.path("keras_recurrent.weights.h5")).archive
      .withCanonicalKerasNames()
    let back = try map.exported(weights).archive.withCanonicalKerasNames()
    #expect(back.count > 0)
    for name in back.names { #expect(back[name]?.values() == theirs[name]?.values(), "\(name)") }
  }

  @Test("LSTM, GRU of both kinds and SimpleRNN return what Keras does, and their weights go back")
  func layers() throws {
    try compare("lstm", LSTM(3, 4), try map(rule("lstm/lstm_cell", "*_l0", "lstm")))
    try compare("gru", GRU(3, 4), try map(rule("gru/gru_cell", "*_l0", "gru")))
    try compare(
      "gru_before", GRU(3, 4, resets: .beforeProduct),
      try map(rule("gru_before/gru_cell", "*_l0", "gruResetBefore")))
    try compare("simple", RNN(3, 4), try map(rule("simple/simple_rnn_cell", "*_l0", "simpleRNN")))
  }

  @Test("both directions, and a convolutional LSTM, whose tensors have rules of their own")
  func others() throws {
    try compare(
      "both", LSTM(3, 2, isBidirectional: true),
      try map(
        rule("both/forward_lstm/lstm_cell", "*_l0", "lstm"),
        rule("both/backward_lstm/lstm_cell", "*_l0_reverse", "lstm")
      ))
    try compare(
      "film", ConvLSTM2d(2, 2, kernel: 3),
      try map(
        #"{"theirs": "film/conv_lstm_cell/kernel", "ours": "weight_ih_l0", "like": "convolution"}"#,
        #"{"theirs": "film/conv_lstm_cell/recurrent_kernel", "ours": "weight_hh_l0", "like": "convolution"}"#,
        #"{"theirs": "film/conv_lstm_cell/bias", "ours": "bias_ih_l0"}"#), film: true)
  }

  @Test("what has not the shapes of such a layer is left over, and what is none of ours is refused")
  func shapes() throws {
    let map = try NameMap(
      json: Array(#"{"summary": "s", "theirs": "other", "rules": [\#(rule("a", "b.*", "gru"))]}"#.utf8))
    for (kernel, recurrent, bias) in [
      ([2, 6], [2, 6], [6]), ([2, 6], [3, 6], [2, 6]), ([2, 5], [2, 5], [2, 5]), ([6], [2, 6], [2, 6]),
    ] {
      let archive = try WeightArchive([
        ("a/kernel", Tensor.zeros(kernel)), ("a/recurrent_kernel", Tensor.zeros(recurrent)),
        ("a/bias", Tensor.zeros(bias)),
      ])
      #expect(try map.imported(archive).unmatched == archive.names)
    }
    let ours = try WeightArchive([
      ("b.weight_ih", Tensor.zeros([6, 2])), ("b.weight_hh", Tensor.zeros([6, 3])),
      ("b.bias_ih", Tensor.zeros([6])), ("b.bias_hh", Tensor.zeros([6])),
    ])
    let error = #expect(throws: WeightsError.self) { try map.exported(ours) }
    #expect(error?.description.contains("no recurrent layer of Keras") == true)
    for rule in [rule("a_{n}", "b.*", "gru"), rule("a", "b", "gru"), rule("a", "b.*", "peephole")] {
      #expect(throws: WeightsError.self) { try self.map(rule) }
    }
  }
}
