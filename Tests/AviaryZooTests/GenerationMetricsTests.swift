import AviaryTensors
import Foundation
import Testing

@testable import AviaryZoo

@Suite("What is said of made pictures")
struct GenerationMetricsTests {
  @Test(
    "eigenvalues of a symmetric matrix have its trace and its sum of squares, and those of known ones are right"
  )
  func eigenvalues() {
    let rows: [[Double]] = [[2, 1, 0], [1, 2, 0], [0, 0, 5]]
    let known = SquareMatrix(3) { rows[$0][$1] }
    for (value, expected) in zip(known.symmetricEigenvalues().sorted(), [1, 3, 5] as [Double]) {
      #expect(abs(value - expected) < 1e-12)
    }
    let draws = Tensor.normal([20, 20], using: RandomGenerator(seed: 1)).values()
    let matrix = SquareMatrix(20) { Double(draws[$0 * 20 + $1] + draws[$1 * 20 + $0]) }
    let values = matrix.symmetricEigenvalues()
    let squares = (0..<400).reduce(0) { $0 + matrix[$1 / 20, $1 % 20] * matrix[$1 / 20, $1 % 20] }
    #expect(abs(values.reduce(0, +) - matrix.trace) < 1e-9)
    #expect(abs(values.reduce(0) { $0 + $1 * $1 } - squares) < 1e-9 * squares)
    #expect(SquareMatrix(1) { _, _ in 4 }.symmetricEigenvalues() == [4])
  }

  @Test("the Fréchet distance: 0 from itself, that of means, of spreads, and of fewer rows than features")
  func frechet() {
    func statistics(_ tensor: Tensor) -> FeatureStatistics {
      var statistics = FeatureStatistics(width: tensor.shape[1])
      statistics.add(tensor)
      return statistics
    }
    let features = Tensor.normal([400, 6], using: RandomGenerator(seed: 2))
    let one = statistics(features)
    #expect(abs(one.frechetDistance(to: one)) < 1e-5)
    #expect(abs(one.frechetDistance(to: statistics(features + 2)) - 24) < 1e-3)
    // Twice the spread: Tr(C + 4C − 4C) = Tr C, and the means move with it.
    let wide = one.frechetDistance(to: statistics(features * 2))
    let centred = statistics(features * 2).frechetDistance(to: one)
    #expect(abs(wide - centred) < 1e-6 && wide > 5 && wide < 7)
    let few = statistics(features.sliced(0, 0..<3))
    #expect(few.frechetDistance(to: one).isFinite && abs(few.frechetDistance(to: few)) < 1e-4)
  }

  @Test("pictures of which a judge is sure, one of each class, have the highest score")
  func quality() {
    func sight(_ probabilities: [Float], _ classes: Int) -> PictureJudge.Sight {
      let count = probabilities.count / classes
      return PictureJudge.Sight(
        features: .normal([count, 2], using: RandomGenerator(seed: 3)),
        probabilities: Tensor(probabilities, shape: [count, classes]))
    }
    let sure = GenerationQuality(judge: "x", made: [sight([1, 0, 0, 0, 1, 0, 0, 0, 1], 3)])
    #expect(abs(sure.inceptionScore - 3) < 1e-6 && sure.sureShare == 1 && sure.classes == [1, 1, 1])
    #expect(sure.frechetDistance == nil && sure.realCount == 0)
    let alike = GenerationQuality(
      judge: "x", made: [sight([0.5, 0.5], 2), sight([0.5, 0.5], 2)], real: [sight([1, 0, 0, 1], 2)])
    #expect(abs(alike.inceptionScore - 1) < 1e-6 && alike.sureShare == 0 && alike.count == 2)
    #expect(alike.realCount == 2 && alike.frechetDistance != nil)
  }
}
