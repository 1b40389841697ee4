/// Places for values in one block of memory: values that do not live at the same time may share bytes.
struct Arena {
  /// A stretch of bytes and the steps from its first writing to its last reading.
  struct Block {
    let byteCount: Int
    var firstStep: Int
    var lastStep: Int
    fileprivate(set) var offset = 0
  }

  private(set) var blocks: [Block] = []
  private(set) var byteCount = 0

  mutating func add(byteCount: Int, firstStep: Int) -> Int {
    let aligned = (byteCount + 63) / 64 * 64
    blocks.append(Block(byteCount: aligned, firstStep: firstStep, lastStep: firstStep))
    return blocks.count - 1
  }

  /// The block is read or written at `step` too.
  mutating func extend(_ block: Int, to step: Int) {
    blocks[block].firstStep = min(blocks[block].firstStep, step)
    blocks[block].lastStep = max(blocks[block].lastStep, step)
  }

  /// Finds offsets: large blocks first, each at the lowest place where no block that lives at the same time lies.
  mutating func place() {
    var placed: [Int] = []
    for index in blocks.indices.sorted(by: { blocks[$0].byteCount > blocks[$1].byteCount }) {
      let block = blocks[index]
      var offset = 0
      for other in placed.map({ blocks[$0] }).sorted(by: { $0.offset < $1.offset })
      where other.firstStep <= block.lastStep && block.firstStep <= other.lastStep {
        if offset + block.byteCount <= other.offset { break }
        offset = max(offset, other.offset + other.byteCount)
      }
      blocks[index].offset = offset
      byteCount = max(byteCount, offset + block.byteCount)
      placed.append(index)
    }
  }
}
