import AviaryTensors
import Foundation

/// What pictures are asked for beside a seed.
public struct Conditions: Sendable {
  /// The class of each picture, in turn: picture i is of class `classes[i % classes.count]`. Where none is said, a network that knows
  /// classes makes pictures of class 0, 1, 2 and so on.
  public var classes: [Int] = []
  /// How far a step goes beyond what the class alone says: u + w·(c − u) with u for any class and c for the one wanted (Ho & Salimans 2022,
  /// "Classifier-Free Diffusion Guidance", arXiv:2207.12598). 1 is the class alone; nil what is bound to the weights.
  public var guidance: Float?
  /// What is there of the pictures already; the rest is made to go with it.
  public var known: KnownRegion?

  /// Nothing is asked for.
  public init() {}
}

/// A picture of which a part is to be made anew (Lugmayr et al. 2022, "RePaint", arXiv:2201.09865, algorithm 1).
///
/// After each step what is known is put back with as much noise as the step leaves. With `resamplings` of more than 1 each step is gone
/// back and done again as often, which lets what is made settle with what is known; 1 is replacement alone.
public struct KnownRegion: Sendable {
  /// 1×C×H×W, as the generator's samples are.
  public let picture: Tensor
  /// 1×1×H×W: 1 where the picture is known, 0 where it is made.
  public let mask: Tensor
  /// How often each step is done.
  public let resamplings: Int

  /// - Parameter resamplings: from 1 on.
  public init(picture: Tensor, mask: Tensor, resamplings: Int = 1) {
    require(
      picture.rank == 4 && mask.rank == 4 && picture.shape[0] == 1 && mask.shape[...1] == [1, 1]
        && picture.shape[2...] == mask.shape[2...] && resamplings > 0,
      "a picture of \(picture.shape.shapeText) with a mask of \(mask.shape.shapeText), \(resamplings) times")
    self.picture = picture
    self.mask = mask
    self.resamplings = resamplings
  }

  /// Samples N×C×H×W whose known part is the picture at ᾱ of `alpha`, with `noise` of the samples' shape.
  func restored(in samples: Tensor, alpha: Float, noise: Tensor) -> Tensor {
    let known = picture * alpha.squareRoot() + noise * (1 - alpha).squareRoot()
    return known * mask + samples * (1 - mask)
  }
}

/// What a network is run with for some of the pictures.
struct BatchConditions {
  /// A class for each picture; nil for a network that knows none.
  let classes: [Int]?
  let guidance: Float?
  let known: KnownRegion?
  /// Noise of the latents' shape, each picture's from its own stream.
  let drawn: () -> Tensor
}

/// Between two noises of the same shape along the sphere that both lie on (Shoemake 1985, "Animating Rotation with Quaternion Curves"): what
/// lies on the straight line between them is shorter than noise is.
///
/// - Parameter share: 0 for the first, 1 for the second.
public func sphericallyInterpolated(_ first: Tensor, _ second: Tensor, _ share: Float) -> Tensor {
  require(
    first.shape == second.shape,
    "\(first.shape.shapeText) and \(second.shape.shapeText) have nothing between them")
  let length = first.square().sum().item().squareRoot() * second.square().sum().item().squareRoot()
  let cosine = length > 0 ? min(max((first * second).sum().item() / length, -1), 1) : 1
  let angle = acos(cosine)
  // Next to each other, and opposite of each other, there is no one arc.
  guard sin(angle) > 1e-4 else { return first * (1 - share) + second * share }
  return first * (sin((1 - share) * angle) / sin(angle)) + second * (sin(share * angle) / sin(angle))
}
