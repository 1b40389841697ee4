import AviaryLayers
import AviaryTensors

/// L-BFGS (Nocedal 1980; Liu & Nocedal 1989): Newton's method with the curvature guessed from the last steps, for smooth losses over few
/// values or over one batch, such as style transfer's. Numbers as torch's `LBFGS`, in whose way a step is several iterations.
///
/// It needs loss and gradient several times in a step, so it takes a closure (``step(_:_:)-(Module,_)``), or works on a tensor directly
/// (``step(_:_:)-(Tensor,_)``). One object serves one model or one tensor; the curvature is forgotten when the trained parameters change.
public final class LBFGS: Optimizer {
  /// How far to go along a direction.
  public enum LineSearch: String, Sendable, Hashable, Codable {
    /// The learning rate, except in the very first iteration, which is shorter.
    case none
    /// As far as the strong Wolfe conditions ask (Wolfe 1969); the learning rate is tried first.
    case strongWolfe
  }

  public var learningRate: Float
  /// Directions per step.
  public let maximumIterations: Int
  /// Evaluations of the loss per step, after which no further iteration begins.
  public let maximumEvaluations: Int
  /// A step ends where no element of the gradient is larger.
  public let gradientTolerance: Double
  /// A step ends where neither the values nor the loss change by more.
  public let changeTolerance: Double
  /// How many of the last steps the curvature is guessed from; each costs twice the memory of the values.
  public let historySize: Int
  /// How far to go along a direction.
  public let lineSearch: LineSearch
  private var curvature = Curvature()

  /// L-BFGS with PyTorch's defaults; five evaluations for four iterations unless said otherwise.
  public init(
    learningRate: Float = 1, maximumIterations: Int = 20, maximumEvaluations: Int? = nil,
    gradientTolerance: Double = 1e-7, changeTolerance: Double = 1e-9, historySize: Int = 100,
    lineSearch: LineSearch = .none
  ) {
    require(
      maximumIterations > 0 && historySize > 0,
      "L-BFGS of \(maximumIterations) iterations, \(historySize) kept")
    self.learningRate = learningRate
    self.maximumIterations = maximumIterations
    self.maximumEvaluations = maximumEvaluations ?? maximumIterations * 5 / 4
    self.gradientTolerance = gradientTolerance
    self.changeTolerance = changeTolerance
    self.historySize = historySize
    self.lineSearch = lineSearch
  }

  /// One step on the values of a tensor; `loss` returns one element.
  ///
  /// - Returns: The loss before the step. When it is not finite, or `loss` throws, the point stays where it was.
  public func step<Failure: Error>(
    _ point: inout Tensor, _ loss: (Tensor) throws(Failure) -> Tensor
  ) throws(Failure) -> Tensor {
    let (value, result) = try minimized(PointVector(parts: [point.detached]), maximumIterations) {
      (place: PointVector) throws(Failure) in
      let leaf = Leaf()
      let value = try recorded { () throws(Failure) in try loss(place.parts[0].tracked(as: leaf)) }
      let gradient = backward(from: value, to: [leaf])[0] ?? .zeros(place.parts[0].shape)
      return (value.detached, PointVector(parts: [gradient]))
    }
    point = result.parts[0]
    return value
  }

  public func step<Failure: Error>(
    _ model: some Module, _ evaluate: () throws(Failure) -> (value: Tensor, gradients: Gradients)
  ) throws(Failure) -> Tensor {
    try step(model.parameters.filter { !$0.isFrozen }, maximumIterations, evaluate)
  }

  /// One iteration with the learning rate for its length. There must be no line search, which needs the loss.
  public func update(_ model: some Module, _ gradients: Gradients) {
    require(
      lineSearch == .none, "L-BFGS with a line search evaluates the loss itself: call step with a closure")
    let trained = model.parameters.filter { !$0.isFrozen }
    _ = step(trained, 1) { (Tensor(Float(0)), gradients) }
  }

  private func step<Failure: Error>(
    _ parameters: [Parameter], _ iterations: Int,
    _ evaluate: () throws(Failure) -> (value: Tensor, gradients: Gradients)
  ) throws(Failure) -> Tensor {
    let start = PointVector(parts: parameters.map { $0.value.detached.cast(to: .float32) })
    func place(_ point: PointVector) {
      for (parameter, value) in zip(parameters, point.parts) { parameter.value = value }
    }
    do throws(Failure) {
      let (value, result) = try minimized(start, iterations) { (point: PointVector) throws(Failure) in
        place(point)
        let (value, gradients) = try evaluate()
        return (value, PointVector(parts: parameters.map { gradients[$0] ?? .zeros($0.shape) }))
      }
      place(result)
      return value
    } catch {
      place(start)
      throw error
    }
  }

  /// Where some iterations lead from a point, and the loss there at first.
  private func minimized<Failure: Error>(
    _ start: PointVector, _ iterations: Int,
    _ evaluate: (PointVector) throws(Failure) -> (loss: Tensor, gradient: PointVector)
  ) throws(Failure) -> (loss: Tensor, point: PointVector) {
    let (startLoss, startGradient) = try evaluate(start)
    var (point, gradient, loss) = (start, startGradient, Double(startLoss.item()))
    var steepest = gradient.largestMagnitude
    // Also when the largest is NaN.
    guard loss.isFinite, steepest.isFinite, steepest > gradientTolerance else { return (startLoss, start) }
    curvature.forget(unlike: start)
    var evaluations = 1
    for iteration in 1...iterations {
      let isFirst = curvature.iterations == 0
      let direction = curvature.direction(at: gradient, keeping: historySize)
      let slope = gradient.dot(direction)
      let rate = Double(learningRate)
      curvature.step = isFirst ? min(1, 1 / gradient.magnitudeSum) * rate : rate
      if slope > -changeTolerance { break }
      let lastLoss = loss
      switch lineSearch {
      case .strongWolfe:
        let search = WolfeSearch(
          changeTolerance: changeTolerance, limit: maximumEvaluations - evaluations)
        let origin = point
        let (best, count) = try search(
          from: LineTrial(step: 0, loss: loss, gradient: gradient, slope: slope), first: curvature.step,
          size: direction.largestMagnitude
        ) { (step: Double) throws(Failure) in
          let (loss, gradient) = try evaluate(origin.adding(direction, times: step))
          return LineTrial(
            step: step, loss: Double(loss.item()), gradient: gradient, slope: gradient.dot(direction))
        }
        evaluations += count
        let reached = best.gradient.largestMagnitude
        // The weights stay where the loss was still a number.
        guard best.loss.isFinite, reached.isFinite else { return (startLoss, point) }
        (curvature.step, loss, gradient, steepest) = (best.step, best.loss, best.gradient, reached)
        point.add(direction, times: curvature.step)
      case .none:
        let next = point.adding(direction, times: curvature.step)
        if iteration != iterations {
          let (nextLoss, nextGradient) = try evaluate(next)
          evaluations += 1
          let reached = nextGradient.largestMagnitude
          guard nextLoss.item().isFinite, reached.isFinite else { return (startLoss, point) }
          (loss, gradient, steepest) = (Double(nextLoss.item()), nextGradient, reached)
        }
        point = next
      }
      if evaluations >= maximumEvaluations || steepest <= gradientTolerance
        || direction.largestMagnitude * abs(curvature.step) <= changeTolerance
        || abs(loss - lastLoss) < changeTolerance
      {
        break
      }
    }
    return (startLoss, point)
  }

  public func state(of model: some Module) -> SavedState {
    curvature.saved(model.namedParameters.filter { !$0.parameter.isFrozen })
  }

  public func restore(_ state: SavedState, of model: some Module) throws(SavedStateError) {
    curvature = try Curvature(state, model.namedParameters.filter { !$0.parameter.isFrozen })
  }
}
