import AviaryTensors

/// One object of a picture, as people or a program marked it.
public struct Instance: Sendable, Hashable {
  /// Where it is, in the picture's pixels.
  public var box: Box
  /// What it is, by the number that the data have for it.
  public var labelIndex: Int
  /// Whether it stands for many at once (COCO's `iscrowd`).
  public var isCrowd: Bool
  /// Its pixels, of the picture's size; nil where only the box is known.
  public var mask: Mask?

  /// An object number `labelIndex` in `box`.
  public init(box: Box, labelIndex: Int, isCrowd: Bool = false, mask: Mask? = nil) {
    self.box = box
    self.labelIndex = labelIndex
    self.isCrowd = isCrowd
    self.mask = mask
  }
}

/// A picture and all that is known of it. What changes the picture's geometry changes boxes, masks and labels with it.
///
/// Where objects have to be cut, one stays if at least ``keptShare`` of it is left: of its pixels where it has a mask, else of its box. A
/// cut object's box is the smallest around what its mask has left, else the rest of the box.
public struct AnnotatedPicture: Sendable, Hashable {
  /// The pixels.
  public var image: Image
  /// The class of the whole picture; nil where it has none.
  public var label: Int?
  /// The objects in it.
  public var instances: [Instance]
  /// The class of each pixel, of the picture's size; nil where it is not known.
  public var labelMap: LabelMap?
  /// What it shows, in words; several people's words where there are several.
  public var captions: [String]

  /// A picture with what is known of it.
  public init(
    image: Image, label: Int? = nil, instances: [Instance] = [], labelMap: LabelMap? = nil,
    captions: [String] = []
  ) {
    require(
      labelMap.map { $0.width == image.width && $0.height == image.height } ?? true
        && instances.allSatisfy {
          $0.mask.map { $0.width == image.width && $0.height == image.height } ?? true
        }, "labels or masks of another size than the picture's \(image.width)×\(image.height) pixels")
    self.image = image
    self.label = label
    self.instances = instances
    self.labelMap = labelMap
    self.captions = captions
  }

  /// The share of an object that has to be left where it is cut, 0.1.
  public static let keptShare: Float = 0.1

  /// The same without objects of which less than `share` is left after a change that made areas `growth` times as large; boxes that the
  /// change cut are drawn anew around masks.
  func keeping(
    _ share: Float, of earlier: [Instance], growth: Float = 1, isCut: (_ index: Int) -> Bool
  ) -> AnnotatedPicture {
    var result = self
    result.instances = zip(instances, earlier).enumerated().compactMap { index, pair in
      let (now, before) = pair
      guard isCut(index) else { return now }
      if let mask = now.mask, let old = before.mask {
        guard let box = mask.box, Float(mask.area) >= share * growth * Float(old.area) else { return nil }
        var cut = now
        cut.box = box
        return cut
      }
      var cut = now
      cut.box = now.box.clipped(width: image.width, height: image.height)
      return cut.box.area > 0 && cut.box.area >= share * now.box.area ? cut : nil
    }
    return result
  }
}
