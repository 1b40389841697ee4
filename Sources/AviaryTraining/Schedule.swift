import AviaryTensors
import Foundation

/// How the step size changes over a training run, as a factor of the one it began with.
public enum Schedule: Sendable, Hashable, Codable {
  /// The same at every step.
  case constant
  /// Multiplied by `factor` after every `epochs` epochs.
  case step(epochs: Int, factor: Float)
  /// Half a cosine from 1 to 0 over the whole run (Loshchilov & Hutter 2017).
  case cosine
  /// Rises linearly over the first `warmup` share of the run, then follows half a cosine.
  case warmupCosine(warmup: Float)

  /// The factor at `progress` (0…1) of a run of `epochs` epochs.
  public func factor(progress: Float, epochs: Int) -> Float {
    switch self {
    case .constant: return 1
    case .step(let every, let factor):
      require(every > 0, "the step size falls every \(every) epochs")
      return powf(factor, (progress * Float(epochs) / Float(every)).rounded(.down))
    case .cosine: return 0.5 * (1 + cosf(.pi * progress))
    case .warmupCosine(let warmup):
      if progress < warmup { return progress / warmup }
      return 0.5 * (1 + cosf(.pi * (progress - warmup) / max(1 - warmup, 1e-6)))
    }
  }
}
