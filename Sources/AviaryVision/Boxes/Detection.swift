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

/// An object that is in a picture, as people marked it.
public struct TrueObject: Sendable, Hashable, Codable {
  /// Where it is, in the picture's pixels.
  public var box: Box
  /// What it is: the number in ``Detection/labelIndex`` of those who find it.
  public var labelIndex: Int
  /// Whether the box is drawn around many of them at once (COCO's `iscrowd`), so that finding some there is neither right nor wrong.
  public var isCrowd: Bool

  /// One object in `box`, number `labelIndex`, or a crowd of them.
  public init(box: Box, labelIndex: Int, isCrowd: Bool = false) {
    self.box = box
    self.labelIndex = labelIndex
    self.isCrowd = isCrowd
  }
}
