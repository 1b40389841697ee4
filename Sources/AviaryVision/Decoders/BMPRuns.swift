/// Run-length encoded rows of a bitmap of 4 or 8 bits a pixel, the last row first.
struct BMPRuns {
  let width: Int
  let height: Int
  let bits: Int

  /// Pairs of bytes from `start` on: a count and what to repeat, or 0 and a command. What is skipped keeps index 0.
  func indices(_ source: PictureSource, _ start: Int) throws(ImageError) -> [UInt8] {
    let bytes = source.bytes
    var indices = [UInt8](repeating: 0, count: width * height)
    var (x, y, position) = (0, 0, start)
    func place(_ value: UInt8) {
      if x < width && y < height { indices[(height - 1 - y) * width + x] = value }
      x += 1
    }
    /// The pixel at `index` in a run whose bytes begin at `from`; of 4 bits each, two share a byte.
    func pixel(_ index: Int, from: Int, repeats: Bool) -> UInt8 {
      if bits == 8 { return bytes[repeats ? from : from + index] }
      let pair = bytes[repeats ? from : from + index / 2]
      return index.isMultiple(of: 2) ? pair >> 4 : pair & 15
    }
    while true {
      guard position >= 0, position + 2 <= bytes.count else {
        throw source.damaged("its rows are cut off")
      }
      let (count, value) = (Int(bytes[position]), Int(bytes[position + 1]))
      position += 2
      switch (count, value) {
      case (0, 0): (x, y) = (0, y + 1)
      case (0, 1): return indices
      case (0, 2):
        guard position + 2 <= bytes.count else { throw source.damaged("its rows are cut off") }
        x += Int(bytes[position])
        y += Int(bytes[position + 1])
        position += 2
      case (0, _):
        // Pixels as they are, padded to an even number of bytes.
        let size = bits == 8 ? value : (value + 1) / 2
        guard position + size <= bytes.count else { throw source.damaged("its rows are cut off") }
        for index in 0..<value { place(pixel(index, from: position, repeats: false)) }
        position += size + size % 2
      default:
        for index in 0..<count { place(pixel(index, from: position - 1, repeats: true)) }
      }
      // Nothing behind the last row can be seen; some writers end there without a word.
      if y >= height { return indices }
    }
  }
}
