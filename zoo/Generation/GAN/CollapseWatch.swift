import AviaryTensors

/// Whether a generator and its discriminator get on, said in words while they are trained.
public struct CollapseWatch: Sendable {
  /// How much of each step's number counts in the running ones.
  private static let share: Float = 0.05
  /// Steps before anything is said.
  private static let youth = 50

  /// The discriminator's loss, a running mean.
  public private(set) var discriminatorLoss: Float = 0
  /// The generator's loss in the last step.
  public private(set) var generatorLoss: Float = 0
  /// How far apart made pictures are, compared with how far real ones are: a running mean. 1 is as it should be.
  public private(set) var diversity: Float = 1
  /// Steps seen.
  public private(set) var steps = 0

  /// Nothing seen yet.
  public init() {}

  mutating func add(discriminatorLoss: Float, generatorLoss: Float, made: Tensor, real: Tensor) {
    self.generatorLoss = generatorLoss
    let now = Self.diversity(of: made, beside: real)
    let share = steps == 0 ? 1 : Self.share
    self.discriminatorLoss += share * (discriminatorLoss - self.discriminatorLoss)
    diversity += share * (now - diversity)
    steps += 1
  }

  /// The mean squared distance of neighbours in a batch of made pictures N×…, divided by that of real ones.
  static func diversity(of made: Tensor, beside real: Tensor) -> Float {
    func spread(_ pictures: Tensor) -> Float {
      let count = pictures.shape[0]
      guard count > 1 else { return 0 }
      let pictures = pictures.detached
      return (pictures.sliced(0, 0..<count - 1) - pictures.sliced(0, 1..<count)).square().mean().item()
    }
    let wanted = spread(real)
    return wanted > 0 ? spread(made) / wanted : 1
  }

  /// What is wrong, and what helps, in a sentence each; nothing while all is well.
  ///
  /// - Parameter saturates: whether the discriminator's loss ends at 0, as a cross-entropy does; a distance of Wasserstein's does not.
  public func complaints(saturates: Bool = true) -> [String] {
    guard steps >= Self.youth else { return [] }
    var result: [String] = []
    if diversity < 0.2 {
      result.append(
        "the generator's pictures are nearly alike (\(Self.percent(diversity)) of the distance that real ones have): it collapses; a lower learning rate, label smoothing or WGAN-GP may help"
      )
    }
    if saturates, discriminatorLoss < 0.05 {
      result.append(
        "the discriminator's loss is \(discriminatorLoss): it tells everything apart and teaches nothing any more; label smoothing, a smaller discriminator or a lower learning rate for it may help"
      )
    }
    return result
  }

  private static func percent(_ share: Float) -> String { "\(Int((share * 100).rounded())) %" }

  /// What goes on with a run that was interrupted.
  var numbers: [String: Double] {
    [
      "discriminator_loss": Double(discriminatorLoss), "generator_loss": Double(generatorLoss),
      "diversity": Double(diversity), "steps": Double(steps),
    ]
  }

  /// What ``numbers`` says; nil when something is missing.
  init?(_ numbers: [String: Double]) {
    guard let discriminatorLoss = numbers["discriminator_loss"], let diversity = numbers["diversity"],
      let generatorLoss = numbers["generator_loss"], let steps = numbers["steps"].flatMap(Int.init(exactly:))
    else { return nil }
    self.discriminatorLoss = Float(discriminatorLoss)
    self.generatorLoss = Float(generatorLoss)
    self.diversity = Float(diversity)
    self.steps = steps
  }
}
