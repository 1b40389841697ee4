import AviaryLayers
import AviaryTensors
import AviaryWeights

extension DiT: GenerativeNetwork {
  func pictureMaker(
    _ metadata: PortableMetadata, named name: String
  ) throws -> @Sendable (SharedNetwork) -> any PictureMaker {
    // The authors lead three channels of four towards the class, and keep to that since.
    try configuration.pictureMaker(metadata, guided: min(3, configuration.inChannels), named: name)
  }
}

extension TransformerDiT: GenerativeNetwork {
  func pictureMaker(
    _ metadata: PortableMetadata, named name: String
  ) throws -> @Sendable (SharedNetwork) -> any PictureMaker {
    let sizes = configuration.sizes
    return try sizes.pictureMaker(metadata, guided: sizes.inChannels, named: name)
  }
}

extension DiTConfiguration {
  /// Samples by removing noise, for either form of the network.
  ///
  /// - Parameter guided: channels that guidance changes.
  fileprivate func pictureMaker(
    _ metadata: PortableMetadata, guided: Int, named name: String
  ) throws -> @Sendable (SharedNetwork) -> any PictureMaker {
    var settings = try DiffusionSettings(metadata.taskSettings)
    if !learnsVariance, settings.scheduler.variance.isLearned { settings.scheduler.variance = .fixedLarge }
    guard settings.scheduler.variance.isLearned || !learnsVariance || settings.isDeterministic else {
      throw UnsuitableGenerator(
        model: name,
        reason: "learned the variance, but the scheduler has \(settings.scheduler.variance.rawValue)")
    }
    let classes = DenoisedPictures.Classes(
      count: classes, null: classes, guidedChannels: guided, guidance: settings.guidance)
    let ports = DenoisedPictures.Ports(sample: "x", timesteps: "t", classes: "y", noise: "noise")
    let shape: Shape = [inChannels, inputSize, inputSize]
    let (scheduler, sampling) = (settings.scheduler, settings.sampling)
    return {
      DenoisedPictures(
        name: name, latentShape: shape, configuration: scheduler, network: $0, ports: ports,
        classes: classes, usual: sampling)
    }
  }
}
