/// Four copies of an image, one after another along the channels, moved by 0 or 3 rows and columns, with zeros where there is nothing.
///
/// Images lie as N×(C/16)×H×W×16.
struct MovedCopies: PlannedLoop {
  static let block = ChannelBlocks.size
  private static let distance = 3

  /// N×C×H×W.
  let input: Shape
  /// Zeros before the first row and column of the copy that is not moved.
  let before: [Int]
  /// N×4C×H'×W'.
  let output: Shape

  init(input: Shape, before: [Int], extents: [Int]) {
    self.input = input
    self.before = before
    output = [input[0], 4 * input[1]] + extents
  }

  var implementation: String { "loop" }

  func run(_ operands: [UnsafeMutablePointer<Float>]) { write(operands[0], to: operands[1]) }

  func write(_ source: UnsafePointer<Float>, to target: UnsafeMutablePointer<Float>) {
    let (source, target) = (Unchecked(source), Unchecked(target))
    let blocks = input[1] / Self.block
    let (height, width) = (output[2], output[3])
    // A row of a block of channels of a copy of an image at a time.
    Parallel.forEachRange(input[0] * 4 * blocks * height, grain: max(1, 4096 / (width * Self.block))) {
      rows in
      for row in rows {
        let (plane, y) = row.quotientAndRemainder(dividingBy: height)
        let (image, copy, block) = (plane / (4 * blocks), plane / blocks % 4, plane % blocks)
        let moved = (y: y - before[0] + copy / 2 * Self.distance, x: copy % 2 * Self.distance - before[1])
        let to = target.value + row * width * Self.block
        let columns = max(0, -moved.x)..<min(width, input[3] - moved.x)
        guard 0..<input[2] ~= moved.y, !columns.isEmpty else {
          to.update(repeating: 0, count: width * Self.block)
          continue
        }
        let first = ((image * blocks + block) * input[2] + moved.y) * input[3] + columns.lowerBound + moved.x
        to.update(repeating: 0, count: columns.lowerBound * Self.block)
        (to + columns.lowerBound * Self.block)
          .update(from: source.value + first * Self.block, count: columns.count * Self.block)
        (to + columns.upperBound * Self.block)
          .update(repeating: 0, count: (width - columns.upperBound) * Self.block)
      }
    }
  }
}
