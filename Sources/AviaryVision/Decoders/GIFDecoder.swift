import CGIF

extension Image {
  /// The first frame on its canvas. What the frame does not cover has its transparent colour, or else its first one.
  static func gif(_ source: PictureSource) throws(ImageError) -> Image {
    var unread = source.bytes[...]
    return try withUnsafeMutablePointer(to: &unread) { unread in
      Result { () throws(ImageError) in try gif(source, unread) }
    }.get()
  }

  private static func gif(
    _ source: PictureSource, _ unread: UnsafeMutablePointer<Slice<UnsafeRawBufferPointer>>
  ) throws(ImageError) -> Image {
    func failure(_ code: Int32) -> ImageError {
      source.damaged(GifErrorString(code).map { String(cString: $0) } ?? "the decoder gives no reason")
    }
    var code: Int32 = 0
    let opened = DGifOpen(
      unread,
      { file, target, count in
        let unread = file!.pointee.UserData.assumingMemoryBound(to: Slice<UnsafeRawBufferPointer>.self)
        let taken = unread.pointee.prefix(Int(count))
        UnsafeMutableRawBufferPointer(start: target, count: Int(count)).copyBytes(from: taken)
        unread.pointee = unread.pointee.dropFirst(taken.count)
        return Int32(taken.count)
      }, &code)
    guard let file = opened else { throw failure(code) }
    defer { DGifCloseFile(file, &code) }

    let transparent = try advanceToImage(file, failure)
    let frame = file.pointee.Image
    let (left, top) = (Int(frame.Left), Int(frame.Top))
    let (columns, rows) = (Int(frame.Width), Int(frame.Height))
    // A canvas smaller than its frame grows, as Pillow has it.
    let width = max(Int(file.pointee.SWidth), left + columns)
    let height = max(Int(file.pointee.SHeight), top + rows)
    try source.check(width: width, height: height)
    guard columns > 0, rows > 0 else { throw source.damaged("its first frame has no pixels") }

    let palette = palette(frame.ColorMap ?? file.pointee.SColorMap)
    var indices = [UInt8](repeating: UInt8(transparent ?? 0), count: width * height)
    let order = frame.Interlace ? interlaced(rows) : Array(0..<rows)
    for row in order {
      let start = (top + row) * width + left
      let status = indices.withUnsafeMutableBufferPointer { indices in
        DGifGetLine(file, indices.baseAddress! + start, Int32(columns))
      }
      guard status == GIF_OK else { throw failure(file.pointee.Error) }
    }
    return Image(width: width, height: height, model: .rgb) { target in
      for (position, index) in indices.enumerated() {
        for channel in 0..<3 { target[3 * position + channel] = palette[3 * Int(index) + channel] }
      }
    }
  }

  /// Goes on to the first picture and returns its transparent colour, if it has one.
  private static func advanceToImage(
    _ file: UnsafeMutablePointer<GifFileType>, _ failure: (Int32) -> ImageError
  ) throws(ImageError) -> Int? {
    var transparent: Int?
    var kind = UNDEFINED_RECORD_TYPE
    while true {
      guard DGifGetRecordType(file, &kind) == GIF_OK else { throw failure(file.pointee.Error) }
      if kind == IMAGE_DESC_RECORD_TYPE {
        guard DGifGetImageDesc(file) == GIF_OK else { throw failure(file.pointee.Error) }
        return transparent
      }
      guard kind == EXTENSION_RECORD_TYPE else { throw failure(D_GIF_ERR_NO_IMAG_DSCR) }
      var function: Int32 = 0
      var block: UnsafeMutablePointer<GifByteType>?
      guard DGifGetExtension(file, &function, &block) == GIF_OK else { throw failure(file.pointee.Error) }
      while let content = block {
        // A count, flags of which the last says whether there is a transparent colour, a delay, that colour.
        if function == GRAPHICS_EXT_FUNC_CODE, content[0] >= 4, content[1] & 1 == 1 {
          transparent = Int(content[4])
        }
        guard DGifGetExtensionNext(file, &block) == GIF_OK else { throw failure(file.pointee.Error) }
      }
    }
  }

  /// 256 colours: those of the map, black behind them, or shades of grey where there is no map.
  private static func palette(_ map: UnsafeMutablePointer<ColorMapObject>?) -> [UInt8] {
    guard let map = map?.pointee, let colors = map.Colors else {
      return (0..<256).flatMap { Array(repeating: UInt8($0), count: 3) }
    }
    var palette = [UInt8](repeating: 0, count: 3 * 256)
    for index in 0..<min(Int(map.ColorCount), 256) {
      palette.replaceSubrange(
        3 * index..<3 * index + 3, with: [colors[index].Red, colors[index].Green, colors[index].Blue])
    }
    return palette
  }

  /// The order in which an interlaced picture's rows are stored.
  private static func interlaced(_ rows: Int) -> [Int] {
    [(0, 8), (4, 8), (2, 4), (1, 2)].flatMap { first, step in Array(stride(from: first, to: rows, by: step)) }
  }
}
