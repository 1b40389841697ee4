import AviaryTensors

/// A piece of a picture that is worked on alone: what is counted, and around it all that this depends on.
struct StyleTile: Sendable, Hashable {
  /// The rows that are looked at.
  let rows: Range<Int>
  /// The columns that are looked at.
  let columns: Range<Int>
  /// Of those, the rows that are counted; each of the picture's is, in one tile.
  let innerRows: Range<Int>
  /// Of those, the columns that are counted.
  let innerColumns: Range<Int>

  /// Where tiles begin is a multiple of this, so that poolings divide tiles as they divide the picture.
  private static let step = 16

  /// Tiles of about `side`×`side` counted pixels; the picture itself where it is no larger.
  ///
  /// - Parameter margin: pixels around what is counted that are looked at too. With as many as an activation depends on, the tiles together
  ///   give what the whole picture gives, and there are no seams.
  static func grid(height: Int, width: Int, side: Int, margin: Int) -> [StyleTile] {
    let margin = (margin + step - 1) / step * step
    let rows = cells(height, side)
    let columns = cells(width, side)
    func around(_ range: Range<Int>, _ extent: Int) -> Range<Int> {
      max(range.lowerBound - margin, 0)..<min(range.upperBound + margin, extent)
    }
    return rows.flatMap { innerRows in
      columns.map { innerColumns in
        StyleTile(
          rows: around(innerRows, height), columns: around(innerColumns, width), innerRows: innerRows,
          innerColumns: innerColumns)
      }
    }
  }

  private static func cells(_ extent: Int, _ side: Int) -> [Range<Int>] {
    let count = (extent + side - 1) / side
    let bounds = (0...count).map { $0 == count ? extent : ($0 * extent / count + step / 2) / step * step }
    return zip(bounds, bounds.dropFirst()).filter { $0 < $1 }.map { $0..<$1 }
  }

  /// The tile's piece of a picture N×C×H×W.
  func piece(of picture: Tensor) -> Tensor { picture.sliced(2, rows).sliced(3, columns) }

  /// The places of activations 1×C×h×w of the tile that are counted, behind some poolings.
  func counted(in shape: Shape, poolings: Int) -> (rows: Range<Int>, columns: Range<Int>) {
    func places(_ inner: Range<Int>, _ outer: Range<Int>, _ extent: Int) -> Range<Int> {
      let start = (inner.lowerBound - outer.lowerBound) >> poolings
      let end =
        inner.upperBound == outer.upperBound ? extent : (inner.upperBound - outer.lowerBound) >> poolings
      return min(start, end)..<end
    }
    return (places(innerRows, rows, shape[2]), places(innerColumns, columns, shape[3]))
  }

  /// Where those places are among the activations of the whole picture.
  func places(
    _ counted: (rows: Range<Int>, columns: Range<Int>), poolings: Int
  ) -> (rows: Range<Int>, columns: Range<Int>) {
    func moved(_ range: Range<Int>, _ start: Int) -> Range<Int> {
      range.lowerBound + (start >> poolings)..<range.upperBound + (start >> poolings)
    }
    return (moved(counted.rows, rows.lowerBound), moved(counted.columns, columns.lowerBound))
  }
}
