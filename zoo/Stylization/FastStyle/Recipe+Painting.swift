import AviaryLayers
import AviaryTensors
import AviaryTraining
import AviaryVision
import AviaryWeights

extension Recipe {
  /// How a network is taught to paint.
  public struct Painting: Sendable, Codable, Hashable {
    /// Of the network's first convolution.
    public var filters: Int
    /// Of the pieces of photographs that it learns on, in pixels.
    public var side: Int
    /// How much likeness to the photograph counts.
    public var contentWeight: Float
    /// How much likeness to the style counts.
    public var styleWeight: Float
    /// How much smoothness counts.
    public var variationWeight: Float

    /// Who learns to paint in the manner of the picture that the project draws.
    ///
    /// - Throws: what ``StyleLearner`` throws, ``UnsuitableStylizer`` for another network than `fast_style`.
    public func learner(
      of loaded: LoadedNetwork, judge: LoadedNetwork, examples: Tensor, optimizer: any Optimizer
    ) throws -> StyleLearner {
      guard let network = loaded.network as? FastStyle else {
        throw UnsuitableStylizer(model: loaded.name, reason: "cannot be taught a style")
      }
      return try StyleLearner(
        network, judge: judge, style: .drawnPainting(side: 256), examples: examples, self,
        optimizer: optimizer)
    }
  }
}

extension LoadedNetwork {
  /// Writes weights that the project trained. Throws `WeightsError`.
  public func savingOwn(to path: String) throws {
    var result = self
    result.metadata.source = .init(framework: "aviary")
    try result.save(to: path)
  }
}
