/// An object that a network found in a picture.
public struct Detection: Sendable, Hashable, Codable {
  /// Where it is, in the picture's pixels.
  public var box: Box
  /// What it is, in words.
  public var label: String
  /// What it is, by the number that the network's data have for it.
  public var labelIndex: Int
  /// How sure the network is, in 0...1.
  public var score: Float
  /// Its pixels in the picture, from networks that tell them.
  public var mask: Mask?

  /// An object in `box` that is a `label`, number `labelIndex`, with the certainty `score`.
  public init(box: Box, label: String, labelIndex: Int, score: Float, mask: Mask? = nil) {
    self.box = box
    self.label = label
    self.labelIndex = labelIndex
    self.score = score
    self.mask = mask
  }
}
