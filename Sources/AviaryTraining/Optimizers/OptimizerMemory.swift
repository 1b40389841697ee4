import AviaryLayers
import AviaryTensors

/// Tensors that an optimiser keeps for each parameter, such as momenta, and how often the parameter was changed.
struct OptimizerMemory {
  /// One of the tensors: its name in saved states, PyTorch's, and the value that its elements begin with.
  struct Slot {
    let name: String
    var start: Float = 0
  }

  /// One parameter's part of a step.
  struct Settings {
    /// The product of the groups' factors of the learning rate.
    let rateFactor: Float
    /// The group's, else the optimiser's.
    let weightDecay: Float
    /// Counted from 1. Each parameter has its own count: one that thaws late begins like the others did.
    let count: Int
  }

  private struct Entry {
    var tensors: [Tensor]
    var count = 0
  }

  private let slots: [Slot]
  private var entries: [ObjectIdentifier: Entry] = [:]

  init(_ slots: [Slot]) { self.slots = slots }

  /// One step: calls `body` with stretches of each parameter's values, its gradient and its tensors, to be changed in place, value by
  /// value. Several threads work on different stretches.
  mutating func step(
    _ model: some Module, _ gradients: Gradients, _ groups: [ParameterGroup], weightDecay: Float,
    _ body: (
      _ settings: Settings, _ values: UnsafeMutableBufferPointer<Float>,
      _ gradient: UnsafeBufferPointer<Float>, _ state: [UnsafeMutableBufferPointer<Float>]
    ) -> Void
  ) {
    for (name, parameter) in model.namedParameters {
      guard let gradient = gradients[parameter] else { continue }
      let key = ObjectIdentifier(parameter)
      var entry =
        entries.removeValue(forKey: key)
        ?? Entry(tensors: slots.map { Tensor(repeating: $0.start, shape: parameter.shape) })
      entry.count += 1
      let own = groups.settings(name, parameter.shape, weightDecay: weightDecay)
      let settings = Settings(
        rateFactor: own.rateFactor, weightDecay: own.weightDecay, count: entry.count)
      gradient.withUnsafeValues { gradient in
        parameter.update { values in
          withBuffers(&entry.tensors, from: 0, []) { state in
            Parallel.forEachRange(values.count, grain: 16_384) { range in
              body(
                settings, .init(rebasing: values[range]), .init(rebasing: gradient[range]),
                state.map { .init(rebasing: $0[range]) })
            }
          }
        }
      }
      entries[key] = entry
    }
  }

  private func withBuffers(
    _ tensors: inout [Tensor], from index: Int, _ buffers: [UnsafeMutableBufferPointer<Float>],
    _ body: ([UnsafeMutableBufferPointer<Float>]) -> Void
  ) {
    if index == tensors.count { return body(buffers) }
    var tensor = tensors[index]
    tensors[index] = Tensor(Float(0))
    tensor.withUnsafeMutableValues { buffer in
      withBuffers(&tensors, from: index + 1, buffers + [buffer], body)
    }
    tensors[index] = tensor
  }

  /// `exp_avg.NAME` for the tensors, `step.NAME` for the counts.
  func saved(of model: some Module) -> SavedState {
    var state = SavedState()
    for (name, parameter) in model.namedParameters {
      guard let entry = entries[ObjectIdentifier(parameter)] else { continue }
      state.numbers["step.\(name)"] = Double(entry.count)
      state.tensors += zip(slots, entry.tensors).map { ("\($0.name).\(name)", $1) }
    }
    return state
  }

  mutating func restore(_ state: SavedState, of model: some Module) throws(SavedStateError) {
    var reader = try SavedStateReader(state)
    var restored: [ObjectIdentifier: Entry] = [:]
    for (name, parameter) in model.namedParameters {
      // A parameter that was never trained has neither count nor tensors.
      guard let count = try reader.countIfPresent("step.\(name)") else { continue }
      var entry = Entry(tensors: [], count: count)
      for slot in slots { entry.tensors.append(try reader.tensor("\(slot.name).\(name)", parameter.shape)) }
      restored[ObjectIdentifier(parameter)] = entry
    }
    try reader.finish()
    entries = restored
  }
}
