/// N×(C/16)×H×W×16 cut into pieces that threads work on: some rows of a block of channels of an image each.
struct ChannelBlocks: Sendable {
  static let size = 16

  /// The channels of as many whole blocks as `channels` need.
  static func filledUp(_ channels: Int) -> Int { (channels + size - 1) / size * size }

  let images: Int
  /// Blocks of an image's channels.
  let blocks: Int
  let height: Int
  let width: Int
  /// Pieces of a block, of some rows each.
  let cuts: Int
  /// Whether the pieces of a block follow each other, not those of an image from top to bottom.
  private let isByChannels: Bool

  /// Whether threads have some of the channels each, not some of the rows: of a small image they would read many rows of each other.
  static func areDividedByChannels(images: Int, pixels: Int) -> Bool { images == 1 && pixels <= 200 }

  /// - Parameters:
  ///   - fewestRows: how few rows a piece may have where there are others.
  ///   - fewestCuts: how many pieces a block has to have where threads have some of the rows each.
  init(_ shape: Shape, fewestRows: Int, fewestCuts: Int = 1) {
    images = shape[0]
    blocks = Self.filledUp(shape[1]) / Self.size
    height = shape[2]
    width = shape[3]
    // Four pieces for each part of a job: then parts differ by a quarter at most.
    let team = ThreadTeam.shared
    let wanted = 4 * team.partCount
    let few = max(1, min((wanted + images * blocks - 1) / (images * blocks), height / fewestRows))
    isByChannels = Self.areDividedByChannels(images: images, pixels: height * width)
    cuts =
      isByChannels
      ? few
      : team.fairCount(max(few, fewestCuts), ofEachOf: images, most: max(height / 2, 1))
  }

  var pieceCount: Int { images * blocks * cuts }

  struct Piece {
    let image: Int
    let block: Int
    let rows: Range<Int>
    /// Counting the blocks of all images.
    let plane: Int
  }

  subscript(index: Int) -> Piece {
    let (cutIndex, block) = index.quotientAndRemainder(dividingBy: blocks)
    let (image, cut) = cutIndex.quotientAndRemainder(dividingBy: cuts)
    if isByChannels {
      let (block, cut) = index.quotientAndRemainder(dividingBy: cuts)
      return Piece(
        image: 0, block: block, rows: cut * height / cuts..<(cut + 1) * height / cuts, plane: block)
    }
    // Where the cuts do not divide the rows, the longer pieces are others in each block.
    let shift = block % cuts
    return Piece(
      image: image, block: block,
      rows: (cut * height + shift) / cuts..<((cut + 1) * height + shift) / cuts,
      plane: image * blocks + block)
  }
}
