import AviaryLayers
import AviaryTensors
import AviaryTraining
import Foundation
import TestSupport
import Testing

@Suite("Saved states of training")
struct SavedStateTests {
  /// As a file would keep it: bytes of the tensors, numbers as JSON.
  private func written(_ state: SavedState) throws -> SavedState {
    let numbers = try JSONDecoder().decode(
      [String: Double].self, from: JSONEncoder().encode(state.numbers))
    return SavedState(
      tensors: state.tensors.map { ($0.name, Tensor($0.tensor.values(), shape: $0.tensor.shape)) },
      numbers: numbers)
  }

  private func values(_ model: some Module) -> [[Float]] { model.stateEntries.map { $0.value.values() } }

  @Test("ten steps, saved, restored and ten more are twenty, bit for bit", arguments: OptimizerFixture.runs)
  func continued(run: OptimizerFixture.Run) throws {
    let whole = try OptimizerFixture.makeModel()
    let optimizer = try run.makeOptimizer()
    var (saved, weights) = (SavedState(), [Tensor]())
    for step in 0..<20 {
      if step == 10 {
        saved = try written(optimizer.state(of: whole))
        weights = whole.stateEntries.map(\.value)
      }
      _ = try run.step(step, optimizer, whole)
    }
    let model = Linear(3, 2)
    for (entry, value) in zip(model.stateEntries, weights) { entry.value = value }
    let continuing = try run.makeOptimizer()
    try continuing.restore(saved, of: model)
    for step in 10..<20 { _ = try run.step(step, continuing, model) }
    #expect(values(model) == values(whole))
    // One of L-BFGS' runs is at the floor by then.
    #expect(run.name == "lbfgs" || values(whole) != weights.map { $0.values() })
  }

  @Test("what is missing, does not belong there or has another shape is named, and nothing is changed")
  func damaged() throws {
    let model = try OptimizerFixture.makeModel()
    func trained(_ optimizer: any Optimizer) throws -> SavedState {
      for _ in 0..<3 {
        _ = optimizer.step(model) {
          valueAndGradient(of: model) { model(sample([4, 3])).tanh().square().mean() }
        }
      }
      return optimizer.state(of: model)
    }
    let optimizer = Adam(learningRate: 0.1)
    let state = try trained(optimizer)
    #expect(
      state.tensors.map(\.name) == ["exp_avg.weight", "exp_avg_sq.weight", "exp_avg.bias", "exp_avg_sq.bias"])
    #expect(state.numbers == ["step.weight": 3, "step.bias": 3])
    func expect(_ error: SavedStateError, _ change: (inout SavedState) -> Void) {
      var damaged = state
      change(&damaged)
      #expect(throws: error) { try optimizer.restore(damaged, of: model) }
      #expect(!error.description.isEmpty)
      #expect(optimizer.state(of: model).numbers == state.numbers)
      #expect(
        optimizer.state(of: model).tensors.map { $0.tensor.values() }
          == state.tensors.map { $0.tensor.values() })
    }
    for place in state.tensors.indices {
      expect(.missing(state.tensors[place].name)) { $0.tensors.remove(at: place) }
    }
    expect(.unexpected("exp_avg.bias")) { $0.numbers["step.bias"] = nil }
    expect(.unexpected("max_exp_avg_sq.bias")) { $0.tensors.append(("max_exp_avg_sq.bias", .zeros([2]))) }
    expect(.unexpected("exp_avg.bias")) { $0.tensors.append($0.tensors[2]) }
    expect(.unexpected("epochs")) { $0.numbers["epochs"] = 1 }
    expect(.shape("exp_avg.weight", given: [3, 2], expected: [2, 3])) {
      $0.tensors[0].tensor = .zeros([3, 2])
    }
    expect(.type("exp_avg.weight", given: .int64)) {
      $0.tensors[0].tensor = Tensor(repeating: Int64(0), shape: [2, 3])
    }
    expect(.number("step.weight", given: -1)) { $0.numbers["step.weight"] = -1 }
    expect(.number("step.weight", given: 1.5)) { $0.numbers["step.weight"] = 1.5 }

    let newton = LBFGS(learningRate: 0.3, maximumIterations: 2)
    let curvature = try trained(newton)
    for place in curvature.tensors.indices {
      var damaged = curvature
      let name = damaged.tensors.remove(at: place).name
      #expect(throws: SavedStateError.missing(name)) { try newton.restore(damaged, of: model) }
    }
    var damaged = curvature
    damaged.numbers["history"] = 1e12
    #expect(throws: SavedStateError.number("history", given: 1e12)) { try newton.restore(damaged, of: model) }
  }

  @Test("batches half added up go on bit for bit")
  func accumulation() throws {
    let model = try OptimizerFixture.makeModel()
    func gradients(_ seed: UInt64) -> Gradients {
      valueAndGradient(of: model) { model(sample([4, 3], seed: seed)).square().mean() }.gradients
    }
    var whole = GradientAccumulation()
    whole.add(gradients(1), weight: 4)
    whole.add(gradients(2), weight: 3)
    var continuing = GradientAccumulation()
    try continuing.restore(try written(whole.state(of: model)), of: model)
    whole.add(gradients(3), weight: 2)
    continuing.add(gradients(3), weight: 2)
    #expect(continuing.weight == 9)
    let (a, b) = (whole.takeMean(), continuing.takeMean())
    for parameter in model.parameters { #expect(a[parameter]?.values() == b[parameter]?.values()) }
    var wrong = continuing.state(of: model)
    wrong.tensors = [("gradient.other", .zeros([2]))]
    #expect(throws: SavedStateError.unexpected("gradient.other")) { try continuing.restore(wrong, of: model) }
  }
}
