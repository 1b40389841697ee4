import Foundation

/// A square matrix of doubles, for what float32 has too few digits for: covariances of features.
package struct SquareMatrix: Sendable {
  /// Rows, and as many columns.
  package let size: Int
  private var values: [Double]

  /// Of `size` rows and columns, with the value of each place.
  package init(_ size: Int, _ value: (_ row: Int, _ column: Int) -> Double) {
    self.size = size
    values = (0..<size * size).map { value($0 / size, $0 % size) }
  }

  /// The value at a place.
  package subscript(row: Int, column: Int) -> Double {
    get { values[row * size + column] }
    set { values[row * size + column] = newValue }
  }

  /// The sum of the diagonal.
  package var trace: Double { (0..<size).reduce(0) { $0 + self[$1, $1] } }
  /// Rows as columns.
  package var transposed: SquareMatrix { SquareMatrix(size) { self[$1, $0] } }

  /// The product of matrices of one size.
  package static func * (a: SquareMatrix, b: SquareMatrix) -> SquareMatrix {
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
  package func choleskyFactor() -> SquareMatrix {
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
  package func symmetricEigenvalues() -> [Double] {
    var vectors: SquareMatrix?
    return diagonalized(&vectors)
  }

  /// The eigenvalues of a symmetric matrix, in no order, and in the same order its eigenvectors of length 1, a row each.
  package func symmetricEigenvectors() -> (values: [Double], vectors: SquareMatrix) {
    var vectors: SquareMatrix? = SquareMatrix(size) { $0 == $1 ? 1 : 0 }
    let values = diagonalized(&vectors)
    return (values, vectors!)
  }

  /// A function of a symmetric matrix: Σ f(λ) v vᵀ over its eigenvalues λ and eigenvectors v.
  package func symmetricFunction(_ function: (_ eigenvalue: Double) -> Double) -> SquareMatrix {
    let (values, vectors) = symmetricEigenvectors()
    let factors = values.map(function)
    let scaled = SquareMatrix(size) { factors[$0] * vectors[$0, $1] }
    return vectors.transposed * scaled
  }

  /// The eigenvalues; the rows of `vectors`, where there are some, are turned as the matrix is.
  private func diagonalized(_ vectors: inout SquareMatrix?) -> [Double] {
    var (diagonal, beside) = tridiagonal(&vectors)
    for low in 0..<size {
      for _ in 0..<60 {
        var end = low
        while end < size - 1 {
          let scale = abs(diagonal[end]) + abs(diagonal[end + 1])
          if abs(beside[end]) <= .ulpOfOne * scale { break }
          end += 1
        }
        if end == low { break }
        rotate(&diagonal, &beside, low, end, &vectors)
      }
    }
    return diagonal
  }

  /// One sweep of rotations from `end` up to `low`, shifted by the eigenvalue that is nearest to the first.
  private func rotate(
    _ diagonal: inout [Double], _ beside: inout [Double], _ low: Int, _ end: Int,
    _ vectors: inout SquareMatrix?
  ) {
    let half = (diagonal[low + 1] - diagonal[low]) / (2 * beside[low])
    let length = (half * half + 1).squareRoot()
    var bulge = diagonal[end] - diagonal[low] + beside[low] / (half + (half < 0 ? -length : length))
    var (sine, cosine, moved) = (1.0, 1.0, 0.0)
    for i in stride(from: end - 1, through: low, by: -1) {
      let (f, b) = (sine * beside[i], cosine * beside[i])
      // Their squares may be too small for a double.
      let r = hypot(f, bulge)
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
      vectors?.turnRows(i, i + 1, sine: sine, cosine: cosine)
    }
    diagonal[low] -= moved
    beside[low] = bulge
    beside[end] = 0
  }

  /// The diagonal of a similar tridiagonal matrix, and what stands beside it (the last is 0).
  private func tridiagonal(
    _ vectors: inout SquareMatrix?
  ) -> (diagonal: [Double], beside: [Double]) {
    var work = self
    var beside = [Double](repeating: 0, count: size)
    let least = max(1e-30 * (values.map(abs).max() ?? 0), 1e-140)
    for k in 0..<max(size - 2, 0) {
      let range = (k + 1)..<size
      var vector = range.map { work[$0, k] }
      let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
      // What is nothing beside the matrix is nothing: the inverse of its square would be too large for a double.
      guard length > least else { continue }
      beside[k] = vector[0] > 0 ? -length : length
      vector[0] -= beside[k]
      let square = vector.reduce(0) { $0 + $1 * $1 }
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
      vectors?.reflectRows(range, vector, 2 / square)
    }
    if size > 1 { beside[size - 2] = work[size - 1, size - 2] }
    return ((0..<size).map { work[$0, $0] }, beside)
  }

  /// Rows i and j turned into each other: s·i + c·j takes the place of j, c·i − s·j that of i.
  private mutating func turnRows(_ i: Int, _ j: Int, sine: Double, cosine: Double) {
    let (first, second) = (i * size, j * size)
    for column in 0..<size {
      let (a, b) = (values[first + column], values[second + column])
      values[second + column] = sine * a + cosine * b
      values[first + column] = cosine * a - sine * b
    }
  }

  /// Rows of a range mirrored, by I − f·v vᵀ.
  private mutating func reflectRows(_ range: Range<Int>, _ vector: [Double], _ factor: Double) {
    var sums = [Double](repeating: 0, count: size)
    for (place, row) in range.enumerated() {
      for column in 0..<size { sums[column] += vector[place] * values[row * size + column] }
    }
    for (place, row) in range.enumerated() {
      let share = factor * vector[place]
      for column in 0..<size { values[row * size + column] -= share * sums[column] }
    }
  }
}
