import AviaryLayers
import AviaryTensors

/// What L-BFGS knows of the curvature: the last steps and how the gradient changed along each.
struct Curvature {
  /// Directions worked out so far.
  private(set) var iterations = 0
  /// How far the last direction was gone.
  var step: Double = 0
  /// Of the inverse Hessian at first, before the steps are counted in.
  private var scale: Double = 1
  private var steps: [PointVector] = []
  private var gradientChanges: [PointVector] = []
  private var lastDirection: PointVector?
  private var lastGradient: PointVector?

  init() {}

  /// Begins anew when what is minimised over has other shapes than before.
  mutating func forget(unlike point: PointVector) {
    if let last = lastGradient, last.parts.map(\.shape) != point.parts.map(\.shape) { self = Curvature() }
  }

  /// The direction to go from a point with this gradient: the two-loop recursion (Nocedal 1980) over at most `limit` steps.
  mutating func direction(at gradient: PointVector, keeping limit: Int) -> PointVector {
    if let lastDirection, let lastGradient {
      let change = gradient.adding(lastGradient, times: -1)
      let step = lastDirection.scaled(by: step)
      let product = change.dot(step)
      // Else the curvature is not positive, and the direction would not lead down.
      if product > 1e-10 {
        steps.append(step)
        gradientChanges.append(change)
        if steps.count > limit {
          steps.removeFirst()
          gradientChanges.removeFirst()
        }
        scale = product / change.dot(change)
      }
    }
    var direction = gradient.scaled(by: -1)
    let inverses = zip(steps, gradientChanges).map { 1 / $0.dot($1) }
    var factors = [Double](repeating: 0, count: steps.count)
    for index in steps.indices.reversed() {
      factors[index] = steps[index].dot(direction) * inverses[index]
      direction.add(gradientChanges[index], times: -factors[index])
    }
    if iterations > 0 { direction = direction.scaled(by: scale) }
    for index in steps.indices {
      let factor = gradientChanges[index].dot(direction) * inverses[index]
      direction.add(steps[index], times: factors[index] - factor)
    }
    iterations += 1
    (lastDirection, lastGradient) = (direction, gradient)
    return direction
  }

  /// `step.0.NAME`, `gradient_change.0.NAME` and so on, oldest first, with the last direction and gradient.
  func saved(_ parameters: [(name: String, parameter: Parameter)]) -> SavedState {
    var state = SavedState(numbers: [
      "iterations": Double(iterations), "history": Double(steps.count), "step": step, "scale": scale,
    ])
    func add(_ label: String, _ vector: PointVector) {
      state.tensors += zip(parameters, vector.parts).map { ("\(label).\($0.name)", $1) }
    }
    for (index, step) in steps.enumerated() { add("step.\(index)", step) }
    for (index, change) in gradientChanges.enumerated() { add("gradient_change.\(index)", change) }
    if let lastDirection { add("direction", lastDirection) }
    if let lastGradient { add("gradient", lastGradient) }
    return state
  }

  init(
    _ state: SavedState, _ parameters: [(name: String, parameter: Parameter)]
  ) throws(SavedStateError) {
    var reader = try SavedStateReader(state)
    func vector(_ label: String) throws(SavedStateError) -> PointVector {
      var parts: [Tensor] = []
      for (name, parameter) in parameters {
        parts.append(try reader.tensor("\(label).\(name)", parameter.shape))
      }
      return PointVector(parts: parts)
    }
    iterations = try reader.count("iterations")
    step = try reader.number("step")
    scale = try reader.number("scale")
    let history = try reader.count("history")
    guard history <= state.tensors.count else { throw .number("history", given: Double(history)) }
    for index in 0..<history {
      steps.append(try vector("step.\(index)"))
      gradientChanges.append(try vector("gradient_change.\(index)"))
    }
    if iterations > 0 {
      lastDirection = try vector("direction")
      lastGradient = try vector("gradient")
    }
    try reader.finish()
  }
}
