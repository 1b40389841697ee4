import AviaryTensors
import Foundation
import TestSupport
import Testing

@testable import AviaryWeights

@Suite("LSTM cells of one kernel and one bias")
struct LSTMCellTests {
  private func map(_ rule: String) throws -> NameMap {
    try NameMap(json: Array(#"{"summary": "cells", "theirs": "tensorflow", "rules": [\#(rule)]}"#.utf8))
  }

  private let rule =
    #"{"theirs": "rnn/cell_{n}/*", "ours": "lstm.*_l{n}", "lstm": {"kernel": "kernel", "bias": "bias", "forget_bias": 1}}"#

  /// Two features, one unit; gates i, j, f, o side by side.
  private func cell(_ type: DType = .float32) throws -> WeightArchive {
    let kernel = Tensor([1, 2, 3, 4, 11, 12, 13, 14, 21, 22, 23, 24].map { Float($0) }, shape: [3, 4])
    return try WeightArchive([
      ("rnn/cell_0/bias", Tensor([Float(0.25), 0.5, -1.5, 2]).cast(to: type)), ("other", Tensor([Float(1)])),
      ("rnn/cell_0/kernel", kernel.cast(to: type)),
    ])
  }

  @Test(
    "the gates come in PyTorch's order, the forget gate's constant is added, and all goes back",
    arguments: [DType.float32, .float16, .bfloat16])
  func bothWays(type: DType) throws {
    let (map, theirs) = (try map(rule), try cell(type))
    let imported = try map.imported(theirs)
    let ours = imported.archive
    #expect(imported.unmatched == ["other"])
    func values(_ name: String) -> [Float]? { ours[name]?.cast(to: .float32).values() }
    #expect(ours.spec("lstm.weight_ih_l0") == TensorSpec([4, 2], type))
    #expect(values("lstm.weight_ih_l0") == [1, 11, 3, 13, 2, 12, 4, 14])
    #expect(values("lstm.weight_hh_l0") == [21, 23, 22, 24])
    #expect(values("lstm.bias_ih_l0") == [0.25, -0.5, 0.5, 2])
    #expect(values("lstm.bias_hh_l0") == [0, 0, 0, 0])
    let back = try map.exported(ours)
    #expect(back.unmatched.isEmpty && back.archive.count == 2)
    for name in back.archive.names {
      #expect(back.archive[name]!.cast(to: .float32).values() == theirs[name]!.cast(to: .float32).values())
      #expect(back.archive.spec(name) == theirs.spec(name))
    }
  }

  @Test("both biases of a trained layer go back as their sum")
  func sum() throws {
    let map = try map(rule)
    var ours = try map.imported(try cell()).archive
    ours["lstm.bias_hh_l0"] = Tensor([Float(1), 2, 3, 4])
    let bias = try map.exported(ours).archive["rnn/cell_0/bias"]
    #expect(bias?.values() == [1.25, 3.5, 0.5, 6])
  }

  @Test("what has not the shapes of a cell is left over, and what is no layer of ours is refused")
  func shapes() throws {
    let map = try map(rule)
    for (kernel, bias) in [([3, 4], [8]), ([3, 6], [6]), ([1, 4], [4]), ([12], [4]), ([3, 0], [0])] {
      let archive = try WeightArchive([
        ("rnn/cell_0/kernel", Tensor.zeros(kernel)), ("rnn/cell_0/bias", Tensor.zeros(bias)),
      ])
      #expect(try map.imported(archive).unmatched == archive.names)
    }
    var ours = try map.imported(try cell()).archive
    ours["lstm.weight_hh_l0"] = Tensor.zeros([4, 2])
    let error = #expect(throws: WeightsError.self) { try map.exported(ours) }
    #expect(error?.description.contains("no layer of an LSTM") == true)
    ours["lstm.weight_ih_l0"] = nil
    #expect(try map.exported(ours).archive.spec("rnn/cell_0/kernel") == nil)
  }

  @Test(
    "rules that say no way there or back",
    arguments: [
      #"{"theirs": "rnn/cell_{n}", "ours": "lstm.*_l{n}", "lstm": {"kernel": "kernel", "bias": "bias"}}"#,
      #"{"theirs": "rnn/cell_{n}/*", "ours": "lstm._l{n}", "lstm": {"kernel": "kernel", "bias": "bias"}}"#,
      #"{"theirs": "rnn/cell_{n}/*", "ours": "lstm.*_l0", "lstm": {"kernel": "kernel", "bias": "bias"}}"#,
      #"{"theirs": "r/*", "ours": "l.*", "like": "dense", "lstm": {"kernel": "kernel", "bias": "bias"}}"#,
      #"{"theirs": "r/*", "ours": "l.*", "lstm": {"kernel": "kernel"}}"#,
    ])
  func malformed(rule: String) {
    let error = #expect(throws: WeightsError.self) { try map(rule) }
    #expect(error?.kind == .malformed)
  }
}
