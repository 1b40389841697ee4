import AviaryTensors
import Foundation

/// Mean and covariance of features, which are added row by row.
public struct FeatureStatistics: Sendable {
  /// Rows that were added.
  public private(set) var count = 0
  private let width: Int
  private var sums: [Double]
  /// Sums of products, D×D, the lower half.
  private var products: [Double]

  /// Of features of this width.
  public init(width: Int) {
    self.width = width
    sums = Array(repeating: 0, count: width)
    products = Array(repeating: 0, count: width * width)
  }

  /// Adds the rows of a tensor N×D.
  public mutating func add(_ features: Tensor) {
    require(
      features.rank == 2 && features.shape[1] == width,
      "features of \(features.shape.shapeText) for statistics of \(width)")
    let values = features.values().map(Double.init)
    for row in 0..<features.shape[0] {
      let start = row * width
      for i in 0..<width {
        let value = values[start + i]
        sums[i] += value
        for j in 0...i { products[i * width + j] += value * values[start + j] }
      }
    }
    count += features.shape[0]
  }

  fileprivate var mean: [Double] { sums.map { $0 / Double(max(count, 1)) } }

  /// Divided by N − 1.
  fileprivate var covariance: SquareMatrix {
    let (mean, divisor) = (mean, Double(max(count - 1, 1)))
    return SquareMatrix(width) { i, j in
      let (row, column) = (max(i, j), min(i, j))
      return (products[row * width + column] - Double(count) * mean[row] * mean[column]) / divisor
    }
  }

  /// The squared Fréchet distance of two normal distributions with these means and covariances, |μ₁ − μ₂|² + Tr(C₁ + C₂ − 2√(C₁C₂)) (Heusel
  /// et al. 2017, "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium", equation 6).
  ///
  /// With C₁ = LLᵀ the eigenvalues of C₁C₂ are those of LᵀC₂L, which is symmetric: there is nothing imaginary to drop, and nothing is added to
  /// covariances of fewer rows than features.
  public func frechetDistance(to other: FeatureStatistics) -> Double {
    require(width == other.width, "features of \(width) and of \(other.width) have no distance")
    let (first, second) = (covariance, other.covariance)
    let root = first.choleskyFactor()
    let values = (root.transposed * second * root).symmetricEigenvalues()
    let means = zip(mean, other.mean).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    return means + first.trace + second.trace - 2 * values.reduce(0) { $0 + max($1, 0).squareRoot() }
  }
}
