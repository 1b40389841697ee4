import AviaryTensors

extension Image {
  /// Which parts of a text were looked at for each part of another: a row for each part of the new text and a column for each of the old one, the
  /// lighter the more (figure 3 of Bahdanau et al. 2015).
  ///
  /// - Parameters:
  ///   - shares: float32, as many rows and columns as there are labels, from 0 to 1.
  ///   - rows: what stands beside the rows; letters that the drawn font lacks are question marks.
  ///   - columns: what stands above the columns, one below the other where they are longer than a letter.
  public static func alignment(_ shares: Tensor, rows: [String], columns: [String]) -> Image {
    require(
      shares.shape == [rows.count, columns.count] && !rows.isEmpty && !columns.isEmpty,
      "\(shares.shape.shapeText) shares between \(columns.count) and \(rows.count) parts of texts")
    let scale = 2
    let (cell, letter) = ((BitmapFont.height + 2) * scale, BitmapFont.advance * scale)
    let left = (rows.map(\.count).max() ?? 0) * letter + 2 * scale
    let upper = (columns.map(\.count).max() ?? 0) * cell + scale
    let (width, height) = (left + columns.count * cell + scale, upper + rows.count * cell + scale)
    var canvas = Canvas(
      Image(width: width, height: height, model: .rgb) { target in
        for place in target.indices { target[place] = 0 }
      })
    for (column, text) in columns.enumerated() {
      for (line, character) in text.enumerated() {
        canvas.write(
          String(character), x: left + column * cell + (cell - BitmapFont.width * scale) / 2,
          y: upper - (text.count - line) * cell + scale, scale: scale, .white)
      }
    }
    let values = shares.cast(to: .float32).values()
    for (row, text) in rows.enumerated() {
      let top = upper + row * cell
      canvas.write(text, x: scale, y: top + scale, scale: scale, .white)
      for column in columns.indices {
        let share = min(max(values[row * columns.count + column], 0), 1)
        let x = left + column * cell
        // A seam between cells, so that rows can be counted.
        canvas.fill(x..<x + cell - 1, top..<top + cell - 1, Colour(grey: UInt8(24 + share * 231)))
      }
    }
    return canvas.image
  }
}
