import AviaryTensors
import Foundation

/// How a picture turns into noise step by step (Ho, Jain & Abbeel 2020, arXiv:2006.11239, equations 2 and 4).
public struct NoiseSchedule: Sendable, Hashable {
  /// The curve of the variances β_t.
  public enum Curve: String, Sendable, Hashable, CaseIterable {
    /// Evenly from the first to the last.
    case linear
    /// Their roots evenly (Rombach et al. 2022).
    case scaledLinear = "scaled_linear"
    /// So that ᾱ falls as a squared cosine, β at most 0.999 (Nichol & Dhariwal 2021, equation 17).
    case squaredCosine = "squaredcos_cap_v2"
    /// Along a logistic function from −6 to 6 (Xu et al. 2022, "GeoDiff").
    case sigmoid
  }

  /// β_t, the variance of the noise of step t.
  public let betas: [Float]
  /// ᾱ_t, the share of the picture's variance that is left after step t.
  public let cumulativeAlphas: [Float]

  /// - Parameters:
  ///   - steps: T, the steps that the network was trained for.
  ///   - range: the first and the last β; a squared cosine needs none.
  ///   - endsInNoise: scales the curve so that nothing of the picture is left after the last step (Lin et al. 2024, algorithm 1).
  public init(
    _ curve: Curve = .linear, steps: Int = 1000, _ range: ClosedRange<Float> = 1e-4...0.02,
    endsInNoise: Bool = false
  ) {
    require(steps > 1 && range.lowerBound > 0 && range.upperBound < 1, "β of \(range) in \(steps) steps")
    let betas: [Float]
    switch curve {
    case .linear: betas = Self.evenly(range.lowerBound, range.upperBound, steps)
    case .scaledLinear:
      betas = Self.evenly(range.lowerBound.squareRoot(), range.upperBound.squareRoot(), steps)
        .map { $0 * $0 }
    case .squaredCosine:
      func share(_ step: Int) -> Double {
        let root = cos((Double(step) / Double(steps) + 0.008) / 1.008 * .pi / 2)
        return root * root
      }
      betas = (0..<steps).map { Float(min(1 - share($0 + 1) / share($0), 0.999)) }
    case .sigmoid:
      let width = range.upperBound - range.lowerBound
      betas = Self.evenly(-6, 6, steps).map { width / (1 + expf(-$0)) + range.lowerBound }
    }
    self.betas = endsInNoise ? Self.endingInNoise(betas) : betas
    cumulativeAlphas = Self.products(self.betas)
  }

  private static func products(_ betas: [Float]) -> [Float] {
    var product = 1.0
    return betas.map { beta in
      product *= Double(1 - beta)
      return Float(product)
    }
  }

  /// √ᾱ shifted so that the last one is 0, and scaled so that the first one stays.
  private static func endingInNoise(_ betas: [Float]) -> [Float] {
    let roots = products(betas).map { $0.squareRoot() }
    let (first, last) = (roots[0], roots[roots.count - 1])
    let alphas = roots.map { root in
      let moved = (root - last) * (first / (first - last))
      return moved * moved
    }
    return alphas.indices.map { 1 - ($0 == 0 ? alphas[0] : alphas[$0] / alphas[$0 - 1]) }
  }

  /// T.
  public var steps: Int { betas.count }

  /// From both ends, so that both are exact.
  private static func evenly(_ first: Float, _ last: Float, _ count: Int) -> [Float] {
    let step = (last - first) / Float(count - 1)
    return (0..<count).map { index in
      index < count / 2 ? first + step * Float(index) : last - step * Float(count - 1 - index)
    }
  }

  /// √ᾱ x + √(1−ᾱ) ε: pictures N×… after as many steps as `timesteps` say, one for each.
  public func noised(_ pictures: Tensor, _ noise: Tensor, timesteps: [Int]) -> Tensor {
    require(
      pictures.shape == noise.shape && timesteps.count == pictures.shape[0]
        && timesteps.allSatisfy(betas.indices.contains),
      "noise \(noise.shape.shapeText) and steps \(timesteps) for pictures \(pictures.shape.shapeText)")
    let shares = timesteps.map { cumulativeAlphas[$0] }
    let perPicture = [timesteps.count] + Shape(repeating: 1, count: pictures.rank - 1)
    let signal = Tensor(shares.map { $0.squareRoot() }, shape: perPicture)
    let spread = Tensor(shares.map { (1 - $0).squareRoot() }, shape: perPicture)
    return pictures * signal + noise * spread
  }
}

/// Which of the T steps of training a shorter sampling takes (Lin et al. 2024, "Common Diffusion Noise Schedules and Sample Steps are
/// Flawed", table 2).
public enum TimestepSpacing: String, Sendable, Hashable, CaseIterable {
  /// Multiples of ⌊T/N⌋ from 0: the last step of training is left out.
  case leading
  /// Down from T − 1 by T/N.
  case trailing
  /// Evenly from T − 1 to 0.
  case linspace

  /// `count` of `steps`, the noisiest first.
  func timesteps(_ count: Int, of steps: Int) -> [Int] {
    func rounded(_ place: Double) -> Int { Int(place.rounded(.toNearestOrEven)) }
    return (0..<count).map { index in
      switch self {
      case .leading: return (count - 1 - index) * (steps / count)
      case .trailing: return rounded(Double(steps) - Double(index) * (Double(steps) / Double(count))) - 1
      case .linspace:
        let last = Double(steps - 1)
        return count == 1 ? 0 : rounded(Double(count - 1 - index) * (last / Double(count - 1)))
      }
    }
  }
}
