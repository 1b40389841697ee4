import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights

/// The statistics of pixels that Keras' files of EfficientNet hold among the weights.
///
/// Their graph divides the pixels by 255, subtracts `mean` and divides by √`variance`. Here the preprocessing does that, so pixels pass as they
/// are, and files get the statistics of the preprocessing they are written with.
package final class PixelNormalization: Layer {
  let mean = Buffer(fixed: Tensor(EfficientNet.pixelMean))
  let variance = Buffer(fixed: Tensor(EfficientNet.pixelDeviation.map { $0 * $0 }))
  let count = Buffer(fixed: Tensor([Int64(0)], shape: []))

  /// The input as it is: N×3×H×W.
  package func callAsFunction(_ input: Tensor) -> Tensor { input }
}

extension Preprocessing {
  /// With the statistics that an archive holds.
  ///
  /// The published files give ImageNet's deviations as the variance; Keras then divides by their root once more, which makes the usual
  /// preprocessing. Every other file means what it says.
  func with(statisticsOf archive: WeightArchive) -> Preprocessing {
    guard let mean = archive["normalization.mean"]?.values(),
      let variance = archive["normalization.variance"]?.values(), mean.count == channels.count,
      variance.count == mean.count, mean.allSatisfy(\.isFinite),
      variance.allSatisfy({ $0 > 0 && $0.isFinite })
    else { return self }
    func near(_ a: [Float], _ b: [Float]) -> Bool { zip(a, b).allSatisfy { abs($0 - $1) < 1e-4 } }
    if near(mean, EfficientNet.pixelMean), near(variance, EfficientNet.pixelDeviation) { return self }
    var copy = self
    copy.mean = mean
    copy.std = variance.map { $0.squareRoot() }
    return copy
  }

  /// The statistic that a file calls `name`, in the form of a weight; nil when it is none.
  func statistic(named name: String, shape: Shape) -> Tensor? {
    guard shape == [channels.count] else { return nil }
    switch name {
    case "normalization.mean": return Tensor(mean)
    case "normalization.variance": return Tensor(std.map { $0 * $0 })
    default: return nil
    }
  }
}
