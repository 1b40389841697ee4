import AviaryTensors

/// How the first values of a parameter are made.
///
/// The fans of a weight O×I×kernel are I·kernel (in) and O·kernel (out).
public enum Initializer: Sendable, Hashable {
  /// 0 everywhere.
  case zeros
  /// 1 everywhere.
  case ones
  /// The same number everywhere.
  case constant(Float)
  /// Uniform in the range, whose upper bound is left out.
  case uniform(Range<Float>)
  /// Normal with mean 0.
  case normal(standardDeviation: Float)
  /// Normal, cut off at two standard deviations.
  case truncatedNormal(standardDeviation: Float)
  /// Uniform in ±gain·√(6 / (in + out)) (Glorot & Bengio 2010).
  case xavierUniform(gain: Float = 1)
  /// Normal with standard deviation gain·√(2 / (in + out)).
  case xavierNormal(gain: Float = 1)
  /// Uniform in ±gain·√(3 / fan) (He et al. 2015); gain √2 suits ReLU.
  case kaimingUniform(gain: Float = 1.4142135, fan: Fan = .input)
  /// Normal with standard deviation gain / √fan.
  case kaimingNormal(gain: Float = 1.4142135, fan: Fan = .input)
  /// Rows (or columns, whichever are fewer) of unit length at right angles (Saxe et al. 2014).
  case orthogonal(gain: Float = 1)

  /// Which fan of a weight its values are scaled by: that of the input keeps the size of activations, that of the output the size of
  /// gradients (He et al. 2015, section 2.2).
  public enum Fan: Sendable, Hashable {
    /// I·kernel.
    case input
    /// O·kernel.
    case output
  }

  /// What PyTorch starts convolutions and linear layers with: uniform in ±1/√fan.
  public static func torchDefault(fanIn: Int) -> Initializer {
    let bound = 1 / Float(max(fanIn, 1)).squareRoot()
    return .uniform(-bound..<bound)
  }

  /// A tensor of first values.
  public func makeTensor(_ shape: Shape, using generator: RandomGenerator = .current) -> Tensor {
    let kernel = shape.dropFirst(2).reduce(1, *)
    let fanIn = Float((shape.count > 1 ? shape[1] : shape.first ?? 1) * kernel)
    let fanOut = Float((shape.first ?? 1) * kernel)
    func uniform(_ bound: Float) -> Tensor { .uniform(shape, in: -bound..<bound, using: generator) }
    func normal(_ deviation: Float) -> Tensor {
      .normal(shape, standardDeviation: deviation, using: generator)
    }
    switch self {
    case .zeros: return .zeros(shape)
    case .ones: return .ones(shape)
    case .constant(let value): return Tensor(repeating: value, shape: shape)
    case .uniform(let range): return .uniform(shape, in: range, using: generator)
    case .normal(let deviation): return normal(deviation)
    case .truncatedNormal(let deviation):
      return .truncatedNormal(shape, standardDeviation: deviation, using: generator)
    case .xavierUniform(let gain): return uniform(gain * (6 / (fanIn + fanOut)).squareRoot())
    case .xavierNormal(let gain): return normal(gain * (2 / (fanIn + fanOut)).squareRoot())
    case .kaimingUniform(let gain, let fan):
      return uniform(gain * (3 / (fan == .input ? fanIn : fanOut)).squareRoot())
    case .kaimingNormal(let gain, let fan):
      return normal(gain / (fan == .input ? fanIn : fanOut).squareRoot())
    case .orthogonal(let gain): return orthogonal(shape, gain, generator)
    }
  }

  /// Gram–Schmidt on a random matrix, in double precision.
  private func orthogonal(_ shape: Shape, _ gain: Float, _ generator: RandomGenerator) -> Tensor {
    let rows = shape.first ?? 1
    let columns = shape.dropFirst().reduce(1, *)
    let (count, length) = (min(rows, columns), max(rows, columns))
    let draws = Tensor.normal([count, length], using: generator).values()
    var vectors: [[Double]] = []
    for index in 0..<count {
      var vector = draws[(index * length)..<((index + 1) * length)].map(Double.init)
      // Twice is enough to remove what rounding left over.
      for _ in 0..<2 {
        for other in vectors {
          let overlap = zip(vector, other).reduce(0) { $0 + $1.0 * $1.1 }
          for k in vector.indices { vector[k] -= overlap * other[k] }
        }
      }
      let norm = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
      vectors.append(vector.map { $0 / norm })
    }
    let matrix = Tensor(vectors.flatMap { $0.map { Float($0) * gain } }, shape: [count, length])
    return (rows <= columns ? matrix : matrix.transposed()).reshaped(shape)
  }
}
