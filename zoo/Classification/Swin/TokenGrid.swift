import AviaryTensors

/// Tokens that lie as a picture, row by row. Moving them about (windows, shifts, merging) is choosing an order of them.
struct TokenGrid {
  let height: Int
  let width: Int

  /// The number of a token; nil outside, where zeros are.
  func token(_ row: Int, _ column: Int) -> Int? {
    row < height && column < width ? row * width + column : nil
  }

  /// Four neighbours one after another, a column at a time; behind an odd edge come zeros.
  var quartets: [Int?] {
    (0..<(height + 1) / 2).flatMap { row in
      (0..<(width + 1) / 2).flatMap { column in
        [(0, 0), (1, 0), (0, 1), (1, 1)].map { token(2 * row + $0.0, 2 * column + $0.1) }
      }
    }
  }
}

/// A grid cut into windows of equal sides after a cyclic shift towards the upper left (figures 2 and 4).
struct WindowGrid {
  private let grid: TokenGrid
  private let side: Int
  private let rows: Axis
  private let columns: Axis

  /// One axis: its length up to a whole number of windows, and the shift, which a single window does without.
  private struct Axis {
    let padded: Int
    let shift: Int

    init(_ extent: Int, _ side: Int, _ shift: Int) {
      padded = (extent + side - 1) / side * side
      self.shift = side >= padded ? 0 : shift
    }

    /// Which of the regions, that the shift brought together from apart, a place belongs to.
    func region(_ place: Int, _ side: Int) -> Int {
      place < padded - side ? 0 : place < padded - shift ? 1 : 2
    }
  }

  init(_ grid: TokenGrid, side: Int, shift: Int) {
    self.grid = grid
    self.side = side
    rows = Axis(grid.height, side, shift)
    columns = Axis(grid.width, side, shift)
  }

  var count: Int { rows.padded / side * (columns.padded / side) }

  /// The places of the shifted grid, window by window.
  private var places: [(row: Int, column: Int)] {
    stride(from: 0, to: rows.padded, by: side).flatMap { top in
      stride(from: 0, to: columns.padded, by: side).flatMap { left in
        (top..<(top + side)).flatMap { row in (left..<(left + side)).map { (row, $0) } }
      }
    }
  }

  /// The tokens window by window; nil stands for zeros.
  var order: [Int?] {
    places.map {
      grid.token(($0.row + rows.shift) % rows.padded, ($0.column + columns.shift) % columns.padded)
    }
  }

  /// The way back from ``order``.
  var inverse: [Int?] {
    var result = [Int?](repeating: nil, count: grid.height * grid.width)
    for (place, token) in order.enumerated() { if let token { result[token] = place } }
    return result
  }

  /// windows×1×T×T: −100 for pairs of tokens that the shift brought into one window from apart; nil without a shift.
  var mask: Tensor? {
    guard rows.shift + columns.shift > 0 else { return nil }
    let regions = places.map { 3 * rows.region($0.row, side) + columns.region($0.column, side) }
    let tokens = side * side
    let values = (0..<count).flatMap { window -> [Float] in
      let own = regions[(window * tokens)..<((window + 1) * tokens)]
      return own.flatMap { a in own.map { a == $0 ? 0 : -100 } }
    }
    return Tensor(values, shape: [count, 1, tokens, tokens])
  }
}

extension Tensor {
  /// The tokens of N×H×W×C or N×T×C in another order, zeros where it has nil: N×T×C.
  func rearranged(_ order: [Int?]) -> Tensor {
    reshaped([shape[0], -1, shape[rank - 1]]).taking(order, axis: 1)
  }
}
