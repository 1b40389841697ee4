import TestSupport
import Testing

@testable import AviaryTensors

@Suite("Random numbers")
struct RandomTests {
  @Test("Philox 4×32-10 gives the published words for counter 0 and key 0 (Random123's known answers)")
  func knownAnswer() {
    let words = Philox.words(counter: 0, key: 0)
    #expect(words == SIMD4(0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8))
  }

  @Test("the same seed gives the same numbers on one thread, as inside of a job, and on all")
  func threads() {
    func draws() -> [[Float]] {
      withRandomSeed(7) {
        [
          Tensor.uniform([100_003]), .normal([100_003]), .truncatedNormal([50_001]),
          .bernoulli([100_003], probability: 0.3),
        ].map { $0.values() } + [Tensor.permutation(1000).map(Float.init)]
      }
    }
    var onOne: [[Float]] = []
    var body: () -> Void = { onOne = draws() }
    withUnsafeMutablePointer(to: &body) { body in
      ThreadTeam.shared.run(1, body) { $0!.assumingMemoryBound(to: (() -> Void).self).pointee() }
    }
    #expect(draws() == onOne)
  }

  @Test("scopes with the same seed agree, other seeds and later draws differ, and scopes nest")
  func scopes() {
    let first = withRandomSeed(1) { [Tensor.uniform([8]).values(), Tensor.uniform([8]).values()] }
    let second = withRandomSeed(1) { [Tensor.uniform([8]).values(), Tensor.uniform([8]).values()] }
    #expect(first == second)
    #expect(first[0] != first[1])
    #expect(withRandomSeed(2) { Tensor.uniform([8]).values() } != first[0])
    let interrupted = withRandomSeed(1) {
      let before = Tensor.uniform([8]).values()
      // An inner scope has a stream of its own and leaves the outer one where it was.
      let inner = withRandomSeed(1) { Tensor.uniform([8]).values() }
      #expect(inner == before)
      return [before, Tensor.uniform([8]).values()]
    }
    #expect(interrupted == first)
  }

  @Test("without a seed no two draws agree")
  func unseeded() { #expect(Tensor.uniform([16]).values() != Tensor.uniform([16]).values()) }

  @Test("a split stream differs from the one it came from, and is the same every time")
  func split() {
    let (a, b) = (RandomGenerator(seed: 3), RandomGenerator(seed: 3))
    let (left, right) = (a.split(), b.split())
    let draws = Tensor.uniform([64], using: left).values()
    #expect(draws == Tensor.uniform([64], using: right).values())
    #expect(draws != Tensor.uniform([64], using: a).values())
    #expect(draws != Tensor.uniform([64], using: a.split()).values())
  }

  @Test("uniform values have the range, mean and variance they should")
  func uniform() {
    let values = Tensor.uniform([1 << 18], in: -2..<6, using: RandomGenerator(seed: 1)).values()
    #expect(values.allSatisfy { $0 >= -2 && $0 < 6 })
    let moments = Moments(values)
    #expect(abs(moments.mean - 2) < 0.02)
    #expect(abs(moments.variance - 64 / 12) < 0.05)
    // The fourth moment of a uniform distribution is 9/5 of the squared variance.
    #expect(abs(moments.kurtosis - 1.8) < 0.02)
  }

  @Test("normal values have the mean, variance, skew and kurtosis they should")
  func normal() {
    let generator = RandomGenerator(seed: 2)
    let moments = Moments(Tensor.normal([1 << 18], mean: 3, standardDeviation: 2, using: generator).values())
    #expect(abs(moments.mean - 3) < 0.02)
    #expect(abs(moments.variance - 4) < 0.05)
    #expect(abs(moments.skew) < 0.03)
    #expect(abs(moments.kurtosis - 3) < 0.06)
  }

  @Test("normal values cut off at two deviations stay inside and have the variance 0.7737 of theory")
  func truncatedNormal() {
    let generator = RandomGenerator(seed: 3)
    let values = Tensor.truncatedNormal([1 << 17], mean: 1, standardDeviation: 0.5, using: generator).values()
    #expect(values.allSatisfy { $0 >= 0 && $0 <= 2 })
    let moments = Moments(values)
    #expect(abs(moments.mean - 1) < 0.01)
    // 1 − 2·2φ(2) / (2Φ(2) − 1) = 0.7737 of the untruncated variance.
    #expect(abs(moments.variance - 0.25 * 0.7737) < 0.005)
  }

  @Test("Bernoulli values are 0 and 1 in the share asked for")
  func bernoulli() {
    for probability: Float in [0, 0.1, 0.5, 1] {
      let generator = RandomGenerator(seed: 4)
      let values = Tensor.bernoulli([1 << 17], probability: probability, using: generator).values()
      #expect(values.allSatisfy { $0 == 0 || $0 == 1 })
      #expect(abs(Moments(values).mean - Double(probability)) < 0.005)
    }
  }

  @Test("a permutation holds every number once; every place is equally likely")
  func permutation() {
    for count in [0, 1, 2, 1000] {
      #expect(Tensor.permutation(count, using: RandomGenerator(seed: 5)).sorted() == Array(0..<count))
    }
    let generator = RandomGenerator(seed: 6)
    var hits = [[Int]](repeating: .init(repeating: 0, count: 4), count: 4)
    for _ in 0..<4000 {
      for (place, number) in Tensor.permutation(4, using: generator).enumerated() { hits[place][number] += 1 }
    }
    for count in hits.joined() { #expect(abs(count - 1000) < 130) }
  }
}

/// The first moments of some values, in double precision.
private struct Moments {
  let mean: Double
  let variance: Double
  let skew: Double
  let kurtosis: Double

  init(_ values: [Float]) {
    let count = Double(values.count)
    let mean = values.reduce(0) { $0 + Double($1) } / count
    func central(_ power: Int) -> Double {
      values.reduce(0) { sum, value in
        sum + (0..<power).reduce(1.0) { product, _ in product * (Double(value) - mean) }
      } / count
    }
    self.mean = mean
    variance = central(2)
    skew = central(3) / (variance * variance.squareRoot())
    kurtosis = central(4) / (variance * variance)
  }
}
