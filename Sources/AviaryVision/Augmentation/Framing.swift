import AviaryTensors

extension Preprocessing {
  /// The picture after resizing and cropping, in the colour model the network takes, and all that is known of it with it.
  public func framed(_ picture: AnnotatedPicture) -> AnnotatedPicture {
    var result = picture
    if picture.instances.isEmpty && picture.labelMap == nil {
      result.image = framed(picture.image)
      return result
    }
    result.image = picture.image.converted(to: channels == .grey ? .grey : .rgb)
    if case .shortSide = resize {
      let (width, height) = (picture.image.width, picture.image.height)
      let (w, h) = Image.sizeWithoutExcess(width: width, height: height)
      if (w, h) != (width, height) {
        result = result.cropped(x: (width - w) / 2, y: (height - h) / 2, width: w, height: h)
      }
    }
    let size = sizes(width: picture.image.width, height: picture.image.height).resized
    result = result.resized(width: size.width, height: size.height, interpolation)
    guard let crop else { return result }
    let (x, y) = Image.centre(of: size, side: crop, rounding)
    return result.cropped(x: x, y: y, width: crop, height: crop)
  }
}
