import AviaryTensors

/// A point, direction or gradient in the space of all values of several tensors together.
struct PointVector {
  var parts: [Tensor]

  /// Sums in blocks of this many elements: the same whatever the number of threads.
  private static let block = 16_384

  /// The scalar product.
  func dot(_ other: PointVector) -> Double {
    zip(parts, other.parts).reduce(0) { sum, pair in
      let (a, b) = pair
      let count = a.count
      var sums = [Double](repeating: 0, count: (count + Self.block - 1) / Self.block)
      a.withUnsafeValues { a in
        b.withUnsafeValues { b in
          sums.withUnsafeMutableBufferPointer { sums in
            Parallel.forEachRange(sums.count) { range in
              for index in range {
                for i in index * Self.block..<min(count, (index + 1) * Self.block) {
                  sums[index] += Double(a[i]) * Double(b[i])
                }
              }
            }
          }
        }
      }
      return sums.reduce(sum, +)
    }
  }

  /// Adds `factor` times the other.
  mutating func add(_ other: PointVector, times factor: Double) {
    let factor = Float(factor)
    for index in parts.indices {
      other.parts[index].withUnsafeValues { values in
        parts[index].withUnsafeMutableValues { sums in
          Parallel.forEachRange(values.count, grain: 16_384) { range in
            for i in range { sums[i] += factor * values[i] }
          }
        }
      }
    }
  }

  /// With `factor` times the other added.
  func adding(_ other: PointVector, times factor: Double) -> PointVector {
    var sum = self
    sum.add(other, times: factor)
    return sum
  }

  /// Times a number.
  func scaled(by factor: Double) -> PointVector { PointVector(parts: parts.map { $0 * Float(factor) }) }

  /// max |x|; NaN where an element is.
  var largestMagnitude: Double { parts.reduce(0) { reached($0, Double($1.abs().amax().item())) } }

  /// Σ |x|.
  var magnitudeSum: Double { parts.reduce(0) { $0 + Double($1.abs().sum().item()) } }

  private func reached(_ a: Double, _ b: Double) -> Double { a.isNaN || b.isNaN ? .nan : max(a, b) }
}
