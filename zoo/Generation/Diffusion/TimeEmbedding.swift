import AviaryLayers
import AviaryTensors
import Foundation

/// Sines and cosines of time steps (Vaswani et al. 2017, section 3.5; Ho et al. 2020, appendix B).
///
/// f_i = 10000^(−i / (D/2 − shift)) for i < D/2; the features are sin(t·f) and then cos(t·f), or the other way around.
struct TimeFeatures: Sendable, Hashable {
  /// D, an even number.
  let width: Int
  let order: Order
  /// 1 makes the lowest frequency exactly 1/10000.
  let frequencyShift: Int

  enum Order: Sendable, Hashable { case sineFirst, cosineFirst }

  private var frequencies: [Float] {
    let half = width / 2
    return (0..<half).map { expf(-logf(10_000) * Float($0) / Float(half - frequencyShift)) }
  }

  /// N integer steps to N×D.
  func callAsFunction(_ timesteps: Tensor) -> Tensor {
    let phases = timesteps.cast(to: .float32).expandedAxis(at: 1) * Tensor(frequencies)  // N×D/2
    let (sine, cosine) = (phases.sine(), phases.cosine())
    return concatenate(order == .sineFirst ? [sine, cosine] : [cosine, sine], axis: 1)
  }
}

/// Two linear maps that make the embedding of time of its features.
package final class TimestepEmbedding: Layer, Container {
  /// From the features N×D to N×E, before SiLU.
  package let linear1: Linear
  /// From N×E to the embedding N×E.
  package let linear2: Linear

  init(_ features: Int, _ width: Int) {
    linear1 = Linear(features, width)
    linear2 = Linear(width, width)
  }

  /// diffusers sets an underscore where ours have none.
  package var namedChildren: [(name: String, module: any Module)] {
    [("linear_1", linear1), ("linear_2", linear2)]
  }

  /// Features N×D of time steps to their embedding N×E.
  package func callAsFunction(_ features: Tensor) -> Tensor { linear2(Activation.silu(linear1(features))) }
}
