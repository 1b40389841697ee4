import CTIFF

extension Image {
  /// The first page.
  static func tiff(_ source: PictureSource) throws(ImageError) -> Image {
    var state = aviary_tiff()
    state.bytes = source.bytes.bindMemory(to: UInt8.self).baseAddress
    state.count = source.bytes.count
    state.memory_limit = tmsize_t((64 << 20) + 1024 * source.bytes.count)
    // libtiff keeps the address for as long as the file is open.
    return try withUnsafeMutablePointer(to: &state) { state in
      Result { () throws(ImageError) in try tiff(source, state) }
    }.get()
  }

  private static func tiff(
    _ source: PictureSource, _ state: UnsafeMutablePointer<aviary_tiff>
  ) throws(ImageError) -> Image {
    guard let file = aviary_tiff_header(state) else { throw source.damaged(text(state.pointee.message)) }
    defer { TIFFClose(file) }
    let (width, height) = (Int(state.pointee.width), Int(state.pointee.height))
    try source.check(width: width, height: height)
    guard state.pointee.is_unsupported == 0 else {
      let reason = text(state.pointee.message).replacing("Sorry, ", with: "")
      throw source.error(.unsupported("this kind of TIFF picture (\(reason))"))
    }
    let colors = PictureSource.values(width * height) { target in
      aviary_tiff_pixels(state, file, target) == 0
    }
    guard let colors else { throw source.damaged(text(state.pointee.message)) }
    let model: Model = state.pointee.is_grey != 0 ? .grey : .rgb
    let channels = model.channelCount
    let image = Image(width: width, height: height, model: model) { target in
      for (position, color) in colors.enumerated() {
        for channel in 0..<channels {
          target[channels * position + channel] = UInt8(truncatingIfNeeded: color >> UInt32(8 * channel))
        }
      }
    }
    return orientation(state.pointee).applied(to: image)
  }

  private static func orientation(_ state: aviary_tiff) -> Orientation {
    if let stated = Orientation(rawValue: Int(state.orientation)) { return stated }
    let packet = UnsafeRawBufferPointer(start: state.xmp, count: Int(state.xmp_count))
    return Orientation(xmp: packet) ?? .upright
  }
}
