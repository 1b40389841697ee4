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

/// A square matrix of doubles, for what float32 has too few digits for.
struct SquareMatrix {
  let size: Int
  private var values: [Double]

  init(_ size: Int, _ value: (Int, Int) -> Double) {
    self.size = size
    values = (0..<size * size).map { value($0 / size, $0 % size) }
  }

  subscript(row: Int, column: Int) -> Double {
    get { values[row * size + column] }
    set { values[row * size + column] = newValue }
  }

  var trace: Double { (0..<size).reduce(0) { $0 + self[$1, $1] } }
  var transposed: SquareMatrix { SquareMatrix(size) { self[$1, $0] } }

  static func * (a: SquareMatrix, b: SquareMatrix) -> SquareMatrix {
    let size = a.size
    var result = SquareMatrix(size) { _, _ in 0 }
    for i in 0..<size {
      for k in 0..<size {
        let factor = a[i, k]
        if factor == 0 { continue }
        for j in 0..<size { result.values[i * size + j] += factor * b.values[k * size + j] }
      }
    }
    return result
  }

  /// L with LLᵀ the matrix, which has no negative eigenvalue: a column without a pivot is one of zeros.
  func choleskyFactor() -> SquareMatrix {
    var factor = SquareMatrix(size) { _, _ in 0 }
    let least = 1e-12 * (0..<size).reduce(0) { max($0, self[$1, $1]) }
    for j in 0..<size {
      var pivot = self[j, j]
      for k in 0..<j { pivot -= factor[j, k] * factor[j, k] }
      guard pivot > least else { continue }
      let root = pivot.squareRoot()
      factor[j, j] = root
      for i in (j + 1)..<max(size, j + 1) {
        var sum = self[i, j]
        for k in 0..<j { sum -= factor[i, k] * factor[j, k] }
        factor[i, j] = sum / root
      }
    }
    return factor
  }

  /// Of a symmetric matrix, in no order: made tridiagonal by reflections (Householder 1958), then diagonal by rotations with shifts (QL, Golub &
  /// Van Loan 2013, section 8.3).
  func symmetricEigenvalues() -> [Double] {
    var (diagonal, beside) = tridiagonal()
    for low in 0..<size {
      for _ in 0..<60 {
        var end = low
        while end < size - 1 {
          let scale = abs(diagonal[end]) + abs(diagonal[end + 1])
          if abs(beside[end]) <= .ulpOfOne * scale { break }
          end += 1
        }
        if end == low { break }
        rotate(&diagonal, &beside, low, end)
      }
    }
    return diagonal
  }

  /// One sweep of rotations from `end` up to `low`, shifted by the eigenvalue that is nearest to the first.
  private func rotate(_ diagonal: inout [Double], _ beside: inout [Double], _ low: Int, _ end: Int) {
    let half = (diagonal[low + 1] - diagonal[low]) / (2 * beside[low])
    let length = (half * half + 1).squareRoot()
    var bulge = diagonal[end] - diagonal[low] + beside[low] / (half + (half < 0 ? -length : length))
    var (sine, cosine, moved) = (1.0, 1.0, 0.0)
    for i in stride(from: end - 1, through: low, by: -1) {
      let (f, b) = (sine * beside[i], cosine * beside[i])
      let r = (f * f + bulge * bulge).squareRoot()
      beside[i + 1] = r
      if r == 0 {
        diagonal[i + 1] -= moved
        beside[end] = 0
        return
      }
      (sine, cosine) = (f / r, bulge / r)
      let g = diagonal[i + 1] - moved
      let turned = (diagonal[i] - g) * sine + 2 * cosine * b
      moved = sine * turned
      diagonal[i + 1] = g + moved
      bulge = cosine * turned - b
    }
    diagonal[low] -= moved
    beside[low] = bulge
    beside[end] = 0
  }

  /// The diagonal of a similar tridiagonal matrix, and what stands beside it (the last is 0).
  private func tridiagonal() -> (diagonal: [Double], beside: [Double]) {
    var work = self
    var beside = [Double](repeating: 0, count: size)
    for k in 0..<max(size - 2, 0) {
      let range = (k + 1)..<size
      var vector = range.map { work[$0, k] }
      let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
      beside[k] = length == 0 ? 0 : vector[0] > 0 ? -length : length
      guard length > 0 else { continue }
      vector[0] -= beside[k]
      let square = vector.reduce(0) { $0 + $1 * $1 }
      guard square > 0 else { continue }
      // A − v pᵀ − p vᵀ with p = (2/|v|²)(Av − v·(vᵀAv)/|v|²).
      var product = range.map { i in
        var sum = 0.0
        for (place, j) in range.enumerated() { sum += work[i, j] * vector[place] }
        return sum * 2 / square
      }
      let share = zip(vector, product).reduce(0) { $0 + $1.0 * $1.1 } / square
      for place in product.indices { product[place] -= share * vector[place] }
      for (a, i) in range.enumerated() {
        for (b, j) in range.enumerated() { work[i, j] -= vector[a] * product[b] + product[a] * vector[b] }
      }
    }
    if size > 1 { beside[size - 2] = work[size - 1, size - 2] }
    return ((0..<size).map { work[$0, $0] }, beside)
  }
}
