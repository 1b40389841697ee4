import AviaryLayers
import AviaryTensors

/// Parameters that an optimiser treats otherwise than the rest.
///
/// A parameter may be in several groups: the factors of the learning rate multiply, and the weight decay is that of the last group that has
/// one. So `[.withoutDecay] + .layerwise(decay: 0.75, stages)` is a list of groups like any other.
public struct ParameterGroup: Sendable {
  /// The group's parameters.
  public var parameters: ParameterSelection
  /// What the optimiser's learning rate is multiplied by.
  public var rateFactor: Float
  /// Takes the place of the optimiser's weight decay; nil leaves that.
  public var weightDecay: Float?

  /// The chosen parameters, with their factor of the learning rate and their weight decay.
  public init(_ parameters: ParameterSelection, rateFactor: Float = 1, weightDecay: Float? = nil) {
    self.parameters = parameters
    self.rateFactor = rateFactor
    self.weightDecay = weightDecay
  }

  /// No weight decay on biases and on the scales and shifts of normalizations: on nothing of rank 0 or 1.
  public static let withoutDecay = ParameterGroup(.vectors, weightDecay: 0)
}

extension [ParameterGroup] {
  /// Layer-wise decay of the learning rate, as BEiT has it (Bao et al. 2022) and timm: the last stage keeps the rate, each one below has
  /// `decay` times that of the stage above it. What no stage covers keeps the rate too.
  ///
  /// - Parameter stages: from the input to the output, patterns of parameter names as in ``ParameterSelection/named(_:)-(String...)``.
  public static func layerwise(decay: Float, _ stages: [[String]]) -> [ParameterGroup] {
    var factor: Float = 1
    let groups = stages.reversed().map { patterns in
      defer { factor *= decay }
      return ParameterGroup(.named(patterns), rateFactor: factor)
    }
    return groups.reversed()
  }

  /// What the groups together make of one parameter.
  func settings(_ name: String, _ shape: Shape, weightDecay: Float) -> (rateFactor: Float, weightDecay: Float)
  {
    reduce((1, weightDecay)) { settings, group in
      guard group.parameters.contains(name, shape) else { return settings }
      return (settings.0 * group.rateFactor, group.weightDecay ?? settings.1)
    }
  }
}
