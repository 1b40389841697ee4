import CPNG

extension Image {
  static func png(_ source: PictureSource) throws(ImageError) -> Image {
    let bytes = source.bytes.bindMemory(to: UInt8.self)
    var header = aviary_png()
    header.bytes = bytes.baseAddress
    header.remaining = bytes.count
    var state = header
    guard aviary_png_read(&state, nil) == 0 else { throw source.damaged(text(state.message)) }
    let (width, height) = (Int(state.width), Int(state.height))
    try source.check(width: width, height: height)
    // Deflate makes at most 1032 bytes of one.
    guard (width * Int(state.stored_bits) + 7) / 8 * height <= 1032 * bytes.count else {
      throw source.tooFewBytes(width, height)
    }
    let model: Model = state.channels == 1 ? .grey : .rgb
    state = header
    let pixels = PictureSource.values(width * height * model.channelCount) { target in
      aviary_png_read(&state, target) == 0
    }
    guard let pixels else { throw source.damaged(text(state.message)) }
    return Orientation(png: source.bytes).applied(
      to: Image(width: width, height: height, model: model, pixels: pixels))
  }
}
