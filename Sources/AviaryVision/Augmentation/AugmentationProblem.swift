/// Checks for changes that were read from a file.
extension Augmentation {
  /// Why the numbers make no augmentation, for people; nil where they do. Ask before a recipe that others wrote is used.
  public var problem: String? {
    switch self {
    case .horizontalFlip(let probability), .verticalFlip(let probability):
      Self.problem("a probability of \(probability)", 0...1 ~= probability)
    case .resize(let width, let height):
      Self.problem("a size of \(width)×\(height) pixels", Self.isSize(width, height))
    case .crop(let crop):
      Self.problem(
        "crops of \(crop.width)×\(crop.height) pixels after a border of \(crop.padding)",
        Self.isSize(crop.width, crop.height) && 0...Self.longestSide ~= crop.padding)
    case .resizedCrop(let crop):
      Self.problem("crops of \(crop.width)×\(crop.height) pixels", Self.isSize(crop.width, crop.height))
        ?? Self.problem(
          "shares \(crop.scale) and proportions \(crop.ratio)",
          Self.isPositive(crop.scale) && Self.isPositive(crop.ratio))
    case .colourJitter(let jitter):
      Self.problem(
        "a jitter of \(jitter.brightness), \(jitter.contrast), \(jitter.saturation) and \(jitter.hue)",
        [jitter.brightness, jitter.contrast, jitter.saturation].allSatisfy { $0 >= 0 && $0.isFinite }
          && 0...0.5 ~= jitter.hue)
    case .affine(let affine):
      Self.problem(
        "turns of \(affine.degrees)°, moves of \(affine.translation), sizes of \(affine.scale), shears of \(affine.shear)°",
        0...360 ~= affine.degrees && affine.translation.count == 2 && affine.shear.count == 2
          && affine.translation.allSatisfy { 0...1 ~= $0 } && affine.shear.allSatisfy { 0...80 ~= $0 }
          && Self.isPositive(affine.scale))
        ?? Self.problem(affine.interpolation)
    case .erasing(let erasing):
      Self.problem(
        "rectangles of \(erasing.scale) of the area and proportions \(erasing.ratio), \(erasing.probability) of the time",
        0...1 ~= erasing.probability && Self.isPositive(erasing.scale) && Self.isPositive(erasing.ratio))
    case .randAugment(let augment):
      Self.problem(
        "\(augment.changes) changes of strength \(augment.magnitude) of \(augment.bins)",
        0...100 ~= augment.changes && augment.bins > 1 && 0..<augment.bins ~= augment.magnitude)
        ?? Self.problem(augment.interpolation)
    case .sequence(let parts): parts.lazy.compactMap(\.problem).first
    }
  }

  private static let longestSide = 1 << 14

  private static func isSize(_ width: Int, _ height: Int) -> Bool {
    1...longestSide ~= width && 1...longestSide ~= height
  }

  private static func isPositive(_ range: ClosedRange<Float>) -> Bool {
    range.lowerBound >= 1e-3 && range.upperBound <= 1e3
  }

  private static func problem(_ what: String, _ isSound: Bool) -> String? {
    isSound ? nil : "\(what) cannot be had"
  }

  private static func problem(_ interpolation: Interpolation) -> String? {
    problem(
      "maps with \(interpolation.rawValue) values between pixels",
      interpolation == .nearest || interpolation == .bilinear)
  }
}
