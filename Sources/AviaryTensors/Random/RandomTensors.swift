import Foundation

extension Tensor {
  /// Values drawn uniformly from `range` (its upper end excluded).
  public static func uniform(
    _ shape: Shape, in range: Range<Float> = 0..<1, using generator: RandomGenerator = .current
  ) -> Tensor {
    let width = range.upperBound - range.lowerBound
    return random(shape, generator) { words in
      // 24 bits, the precision of a Float: every value is exact and below 1.
      let unit = SIMD4<Float>(words &>> 8) * 0x1p-24
      return (unit * width + range.lowerBound).clamped(
        lowerBound: SIMD4(repeating: range.lowerBound),
        upperBound: SIMD4(repeating: range.upperBound.nextDown))
    }
  }

  /// Values from the normal distribution, by the Box–Muller transform.
  public static func normal(
    _ shape: Shape, mean: Float = 0, standardDeviation: Float = 1, using generator: RandomGenerator = .current
  ) -> Tensor {
    random(shape, generator) { words in normals(words) * standardDeviation + mean }
  }

  /// Values from the normal distribution cut off at `limit` standard deviations on both sides, by its inverse distribution function.
  public static func truncatedNormal(
    _ shape: Shape, mean: Float = 0, standardDeviation: Float = 1, limit: Float = 2,
    using generator: RandomGenerator = .current
  ) -> Tensor {
    let low = 0.5 * erfc(Double(limit) / 2.0.squareRoot())
    return random(shape, generator) { words in
      var result = SIMD4<Float>()
      for lane in 0..<4 {
        let unit = (Double(words[lane]) + 0.5) * 0x1p-32
        let quantile = Float(normalQuantile(low + unit * (1 - 2 * low)))
        result[lane] = Swift.min(Swift.max(quantile, -limit), limit) * standardDeviation + mean
      }
      return result
    }
  }

  /// 1 with the given probability, else 0.
  public static func bernoulli(
    _ shape: Shape, probability: Float, using generator: RandomGenerator = .current
  ) -> Tensor {
    random(shape, generator) { words in
      let unit = SIMD4<Float>(words &>> 8) * 0x1p-24
      return SIMD4<Float>(repeating: 0).replacing(with: 1, where: unit .< probability)
    }
  }

  /// The numbers 0..<count in random order (Fisher–Yates).
  public static func permutation(_ count: Int, using generator: RandomGenerator = .current) -> [Int] {
    var order = Array(0..<count)
    let draws = uniform([Swift.max(count, 1)], using: generator).values()
    for last in stride(from: count - 1, to: 0, by: -1) {
      order.swapAt(last, Swift.min(last, Int(draws[last] * Float(last + 1))))
    }
    return order
  }

  private static func random(
    _ shape: Shape, _ generator: RandomGenerator, _ transform: (SIMD4<UInt32>) -> SIMD4<Float>
  ) -> Tensor {
    Tensor(shape) { values in
      let count = values.count
      generator.forEachBlock((count + 3) / 4) { index, words in
        let four = transform(words)
        for lane in 0..<Swift.min(4, count - 4 * index) { values[4 * index + lane] = four[lane] }
      }
    }
  }

  private static func normals(_ words: SIMD4<UInt32>) -> SIMD4<Float> {
    var result = SIMD4<Float>()
    for pair in 0..<2 {
      // (0, 1]: the logarithm must not see zero.
      let radius = (-2 * Foundation.log((Float(words[2 * pair] >> 8) + 1) * 0x1p-24)).squareRoot()
      let angle = 2 * Float.pi * Float(words[2 * pair + 1] >> 8) * 0x1p-24
      result[2 * pair] = radius * cos(angle)
      result[2 * pair + 1] = radius * sin(angle)
    }
    return result
  }
}

/// The inverse of the normal distribution function: Newton steps from the logistic approximation.
private func normalQuantile(_ probability: Double) -> Double {
  var x = log(probability / (1 - probability)) / 1.702
  for _ in 0..<4 {
    let density = exp(-x * x / 2) / (2 * Double.pi).squareRoot()
    x -= (0.5 * erfc(-x / 2.0.squareRoot()) - probability) / Swift.max(density, 1e-12)
  }
  return x
}
