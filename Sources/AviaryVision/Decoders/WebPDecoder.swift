import CWebP

extension Image {
  /// A still picture, or the first frame of a film on its canvas, which is black where the frame does not cover it.
  static func webp(_ source: PictureSource) throws(ImageError) -> Image {
    var data = WebPData(
      bytes: source.bytes.bindMemory(to: UInt8.self).baseAddress, size: source.bytes.count)
    guard let file = WebPDemux(&data) else {
      throw source.damaged("its parts do not fit together or are cut off")
    }
    defer { WebPDemuxDelete(file) }
    let width = Int(WebPDemuxGetI(file, WEBP_FF_CANVAS_WIDTH))
    let height = Int(WebPDemuxGetI(file, WEBP_FF_CANVAS_HEIGHT))
    try source.check(width: width, height: height)
    var frame = WebPIterator()
    guard WebPDemuxGetFrame(file, 1, &frame) != 0 else { throw source.damaged("it has no frame") }
    defer { WebPDemuxReleaseIterator(&frame) }
    let (left, top) = (Int(frame.x_offset), Int(frame.y_offset))
    let (columns, rows) = (Int(frame.width), Int(frame.height))
    guard left >= 0, top >= 0, left + columns <= width, top + rows <= height else {
      throw source.damaged("its first frame does not fit on the canvas of \(width)×\(height) pixels")
    }
    let stride = 3 * width
    let pixels: [UInt8]? = PictureSource.values(stride * height) { target in
      if columns < width || rows < height { target.update(repeating: 0, count: stride * height) }
      let start = stride * top + 3 * left
      return WebPDecodeRGBInto(
        frame.fragment.bytes, frame.fragment.size, target + start, stride * height - start, Int32(stride))
        != nil
    }
    guard let pixels else { throw source.damaged("its first frame cannot be decoded") }
    return orientation(file).applied(to: Image(width: width, height: height, model: .rgb, pixels: pixels))
  }

  private static func orientation(_ file: OpaquePointer) -> Orientation {
    func chunk(_ name: String, _ read: (UnsafeRawBufferPointer) -> Orientation?) -> Orientation? {
      var found = WebPChunkIterator()
      guard WebPDemuxGetChunk(file, name, 1, &found) != 0 else { return nil }
      defer { WebPDemuxReleaseChunkIterator(&found) }
      return read(UnsafeRawBufferPointer(start: found.chunk.bytes, count: found.chunk.size))
    }
    return chunk("EXIF", Orientation.init(exif:)) ?? chunk("XMP ", Orientation.init(xmp:)) ?? .upright
  }
}
