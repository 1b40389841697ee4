import AviaryTensors

/// A random change of pictures, as a value that a recipe can hold. The same generator gives the same change; boxes, masks and labels keep
/// in step.
public indirect enum Augmentation: Sendable, Hashable, Codable {
  /// Left and right exchanged with a probability.
  case horizontalFlip(probability: Float)
  /// Above and below exchanged with a probability.
  case verticalFlip(probability: Float)
  /// At one size, whatever the proportions; nothing is drawn.
  case resize(width: Int, height: Int)
  /// A rectangle of a fixed size at a random place, after a black border was put around the picture (torchvision's `RandomCrop`).
  case crop(RandomCrop)
  /// A rectangle of random size and proportions, resized (torchvision's `RandomResizedCrop`).
  case resizedCrop(RandomResizedCrop)
  /// Brightness, contrast, saturation and hue (torchvision's `ColorJitter`).
  case colourJitter(ColourJitter)
  /// Turned, moved, scaled, sheared (torchvision's `RandomAffine`; its `RandomRotation` for only a turn).
  case affine(RandomAffine)
  /// A rectangle is blotted out (Zhong et al. 2017, "Random Erasing Data Augmentation").
  case erasing(RandomErasing)
  /// Some of a list of changes, all equally strong (Cubuk et al. 2019).
  case randAugment(RandAugment)
  /// One after the other.
  case sequence([Augmentation])

  /// The picture changed as the generator draws.
  public func callAsFunction(
    _ picture: AnnotatedPicture, using generator: RandomGenerator
  ) -> AnnotatedPicture {
    switch self {
    case .horizontalFlip(let probability):
      generator.chance(probability) ? picture.flippedHorizontally : picture
    case .verticalFlip(let probability):
      generator.chance(probability) ? picture.flippedVertically : picture
    case .resize(let width, let height): picture.resized(width: width, height: height)
    case .crop(let crop): crop(picture, using: generator)
    case .resizedCrop(let crop): crop(picture, using: generator)
    case .colourJitter(let jitter): jitter(picture, using: generator)
    case .affine(let affine): affine(picture, using: generator)
    case .erasing(let erasing): erasing(picture, using: generator)
    case .randAugment(let augment): augment(picture, using: generator)
    case .sequence(let parts): parts.reduce(picture) { $1($0, using: generator) }
    }
  }

  /// Random-resized crop and horizontal flip: how torchvision's classifiers are trained on ImageNet.
  public static func imageNet(side: Int = 224) -> Augmentation {
    .sequence([
      .resizedCrop(RandomResizedCrop(width: side, height: side)), .horizontalFlip(probability: 0.5),
    ])
  }

  /// Crop of 32 pixels after a border of 4 and horizontal flip: how ResNets are trained on CIFAR (He et al. 2015, section 4.2).
  public static let cifar = Augmentation.sequence([
    .crop(RandomCrop(width: 32, height: 32, padding: 4)), .horizontalFlip(probability: 0.5),
  ])
}
