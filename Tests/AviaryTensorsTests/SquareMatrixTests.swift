import AviaryTensors
import Testing

@Suite("Square matrices of doubles")
struct SquareMatrixTests {
  /// A symmetric matrix with numbers of any size.
  private func symmetric(_ size: Int, seed: UInt64) -> SquareMatrix {
    let values = Tensor.normal([size, size], using: RandomGenerator(seed: seed)).values()
    return SquareMatrix(size) { Double(values[max($0, $1) * size + min($0, $1)]) }
  }

  private func difference(_ a: SquareMatrix, _ b: SquareMatrix) -> Double {
    (0..<a.size * a.size).map { abs(a[$0 / a.size, $0 % a.size] - b[$0 / a.size, $0 % a.size]) }.max() ?? 0
  }

  @Test("eigenvectors are orthonormal and give the matrix back", arguments: [1, 2, 3, 17, 64])
  func eigenvectors(size: Int) {
    let matrix = symmetric(size, seed: UInt64(size))
    let (values, vectors) = matrix.symmetricEigenvectors()
    #expect(difference(vectors * vectors.transposed, SquareMatrix(size) { $0 == $1 ? 1 : 0 }) < 1e-12)
    #expect(difference(matrix.symmetricFunction { $0 }, matrix) < 1e-11)
    #expect(zip(values, matrix.symmetricEigenvalues()).allSatisfy { abs($0 - $1) < 1e-11 })
    #expect(abs(values.reduce(0, +) - matrix.trace) < 1e-11)
  }

  @Test("the root of a matrix of low rank")
  func root() {
    let columns = Tensor.normal([20, 6], using: RandomGenerator(seed: 5)).values()
    let matrix = SquareMatrix(20) { row, column in
      (0..<6).reduce(0) { $0 + Double(columns[row * 6 + $1]) * Double(columns[column * 6 + $1]) }
    }
    let root = matrix.symmetricFunction { max($0, 0).squareRoot() }
    #expect(difference(root * root, matrix) < 1e-10)
    #expect(matrix.symmetricEigenvalues().count { abs($0) > 1e-9 } == 6)
    let zero = SquareMatrix(4) { _, _ in 0 }
    #expect(zero.symmetricEigenvalues() == [0, 0, 0, 0])
  }

  @Test("values too small for their squares are no obstacle", arguments: [1e-60, 1e-120, 1e-160, 1e-300])
  func tiny(scale: Double) {
    let matrix = symmetric(12, seed: 4)
    let small = SquareMatrix(12) { row, column in
      row < 6 && column < 6 ? matrix[row, column] : matrix[row, column] * scale
    }
    let (values, vectors) = small.symmetricEigenvectors()
    #expect(values.allSatisfy { $0.isFinite })
    #expect(difference(vectors * vectors.transposed, SquareMatrix(12) { $0 == $1 ? 1 : 0 }) < 1e-12)
    #expect(difference(small.symmetricFunction { $0 }, small) < 1e-11)
  }
}
