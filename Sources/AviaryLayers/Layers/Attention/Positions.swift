import AviaryTensors
import Foundation

/// The places of a sequence as sines and cosines, T×D (Vaswani et al. 2017, section 3.5): at place p, dimension 2i is sin(p / 10000^(2i/D)), the next
/// one the cosine.
///
/// - Parameters:
///   - count: T; the first place is `first`.
///   - width: D, even.
public func sinusoidalPositions(_ count: Int, width: Int, first: Int = 0, base: Double = 10_000) -> Tensor {
  require(count > 0 && width > 0 && width % 2 == 0 && first >= 0, "\(count) places of width \(width)")
  let values = (first..<first + count).flatMap { place in
    (0..<width / 2).flatMap { pair -> [Float] in
      let angle = Double(place) / pow(base, Double(2 * pair) / Double(width))
      return [Float(sin(angle)), Float(cos(angle))]
    }
  }
  return Tensor(values, shape: [count, width])
}

/// A vector to be learned for each place, which is added to what stands there (Gehring et al. 2017; GPT, BERT).
public final class LearnedPositions: Layer {
  /// A row per place, most T×D.
  public let weight: Parameter

  /// `count` is the most places that there can be, and `width` is D.
  public init(_ count: Int, width: Int) {
    require(count > 0 && width > 0, "\(count) places of width \(width)")
    weight = Parameter([count, width], .normal(standardDeviation: 0.02))
  }

  /// N×T×D to the same, T being at most as many as there are places.
  public func callAsFunction(_ input: Tensor) -> Tensor { self(input, first: 0) }

  /// As calling it, where the first of the T places is not 0: other things were read before.
  public func callAsFunction(_ input: Tensor, first: Int) -> Tensor {
    let places = first..<first + input.shape[1]
    require(
      first >= 0 && places.upperBound <= weight.shape[0],
      "places \(places) of \(weight.shape[0]) that were learned")
    return input + weight.value.sliced(0, places)
  }
}

/// Rotary positions (Su et al. 2021, "RoFormer: Enhanced Transformer with Rotary Position Embedding", equation 34): pairs of a query's or key's
/// features are turned by an angle that grows with the place, so that their product depends on how far apart they are.
public struct RotaryPositions: Sendable, Hashable {
  /// Which features make a pair; weights of one kind are none of the other.
  public enum Pairing: String, Sendable, Hashable, CaseIterable {
    /// Feature i with feature i + D/2, as in GPT-NeoX and LLaMA.
    case halves
    /// Feature 2i with feature 2i + 1, as in the paper and GPT-J.
    case neighbours
  }

  /// How many of a head's features are turned, an even number: the first ones.
  public var width: Int
  /// Which of them make a pair.
  public var pairing: Pairing
  /// What pair i of D/2 is turned by per place: base^(−2i/D).
  public var base: Double

  /// `width` is D, the features that are turned.
  public init(width: Int, pairing: Pairing = .halves, base: Double = 10_000) {
    require(width > 0 && width % 2 == 0 && base > 0, "\(width) features turned in pairs, to the base \(base)")
    self.width = width
    self.pairing = pairing
    self.base = base
  }

  /// Queries or keys …×T×(features of a head) to the same.
  ///
  /// - Parameter first: the place of the first one.
  public func callAsFunction(_ input: Tensor, first: Int = 0) -> Tensor {
    let (count, features) = (input.shape[input.rank - 2], input.shape[input.rank - 1])
    require(width <= features && first >= 0, "\(width) of \(features) features, from place \(first)")
    let (cosines, sines) = waves(count, first)
    let turned = input.sliced(-1, 0..<width)
    let result = turned * cosines + quarterTurn(turned) * sines
    return width == features
      ? result : concatenate([result, input.sliced(-1, width..<features)], axis: input.rank - 1)
  }

  /// Of each feature's angle at each place, T×D.
  private func waves(_ count: Int, _ first: Int) -> (cosines: Tensor, sines: Tensor) {
    let angles = (first..<first + count).flatMap { place in
      (0..<width).map { feature in
        let pair = pairing == .halves ? feature % (width / 2) : feature / 2
        return Double(place) * pow(base, -Double(2 * pair) / Double(width))
      }
    }
    return (
      Tensor(angles.map { Float(cos($0)) }, shape: [count, width]),
      Tensor(angles.map { Float(sin($0)) }, shape: [count, width])
    )
  }

  /// (a, b) of each pair to (−b, a).
  private func quarterTurn(_ input: Tensor) -> Tensor {
    switch pairing {
    case .halves:
      let halves = input.split(-1, into: 2)
      return concatenate([-halves[1], halves[0]], axis: input.rank - 1)
    case .neighbours:
      let pairs = input.reshaped(Array(input.shape.dropLast()) + [width / 2, 2]).split(-1, into: 2)
      return concatenate([-pairs[1], pairs[0]], axis: input.rank).reshaped(input.shape)
    }
  }
}
