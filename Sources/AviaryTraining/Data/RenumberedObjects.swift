import AviaryVision

/// Pictures whose objects' labels begin with another number than 0: with 1 for networks to which 0 is the background.
public struct RenumberedObjects: AnnotatedPictures {
  private let base: any AnnotatedPictures
  private let first: Int

  /// - Parameter first: the label of the first class, which is 0 in `base`.
  public init(_ base: any AnnotatedPictures, from first: Int) {
    self.base = base
    self.first = first
  }

  public var count: Int { base.count }
  /// One name per label, "background" before the first class.
  public var classNames: [String] { Array(repeating: "background", count: first) + base.classNames }
  public func knownLabel(_ index: Int) -> Int? { base.knownLabel(index) }

  public func picture(_ index: Int) throws -> AnnotatedPicture {
    var picture = try base.picture(index)
    for place in picture.instances.indices { picture.instances[place].labelIndex += first }
    return picture
  }
}
