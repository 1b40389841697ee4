import AviaryLayers
import AviaryTraining

extension StagedModel {
  /// Groups for an optimiser in which the last stage has the whole learning rate and each stage below it `decay` times that of the one above,
  /// stages without weights left out (BEiT, Bao et al. 2022).
  public func layerwiseGroups(decay: Float) -> [ParameterGroup] {
    let stages = stages.map(\.parameterNames)
    return .layerwise(decay: decay, stages.filter { !parameters(.named($0)).isEmpty })
  }
}
