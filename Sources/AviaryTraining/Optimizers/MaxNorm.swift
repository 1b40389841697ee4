import AviaryLayers
import AviaryTensors

/// A limit for the length of the weights that lead into each unit, kept by scaling them down after a step (Srivastava et al. 2014 with
/// limits of 3 to 4).
public struct MaxNorm: Sendable {
  /// The largest norm.
  public var limit: Float
  /// Which parameters are limited. Axis 0 of each is that of the units, as in linear layers and convolutions.
  public var parameters: ParameterSelection

  /// A limit for the chosen parameters.
  public init(_ limit: Float, of parameters: ParameterSelection = .matrices) {
    require(limit > 0, "weights with a norm of at most \(limit)")
    self.limit = limit
    self.parameters = parameters
  }

  /// Scales down what is longer than the limit. Frozen parameters stay as they are.
  public func apply(to model: some Module) {
    for parameter in model.parameters(parameters) where !parameter.isFrozen && !parameter.shape.isEmpty {
      let units = parameter.shape[0]
      parameter.update { values in
        guard units > 0 else { return }
        let width = values.count / units
        Parallel.forEachRange(units, grain: max(1, 16_384 / max(width, 1))) { range in
          for unit in range {
            let row = UnsafeMutableBufferPointer(rebasing: values[unit * width..<(unit + 1) * width])
            let norm = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
            guard norm > limit else { continue }
            let factor = limit / norm
            for i in row.indices { row[i] *= factor }
          }
        }
      }
    }
  }
}
