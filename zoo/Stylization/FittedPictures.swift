import AviaryVision

extension Image {
  /// The picture with a longer side of at most `longest` pixels and its own proportions; as it is where it is no larger.
  public func fitted(to longest: Int) -> Image {
    let (width, height) = Self.size(
      ofLongestSide: min(longest, max(width, height)), width: width, height: height)
    return resized(width: width, height: height, .bicubic)
  }

  /// Width and height of a picture of these proportions whose longer side has `longest` pixels.
  static func size(ofLongestSide longest: Int, width: Int, height: Int) -> (width: Int, height: Int) {
    let scale = Double(longest) / Double(max(width, height))
    func side(_ length: Int) -> Int { max(1, Int((Double(length) * scale).rounded())) }
    return (side(width), side(height))
  }
}
