/// Which columns the rows of a matrix take so that what they cost together is least, no column twice: the Hungarian method (Kuhn 1955, "The
/// Hungarian method for the assignment problem") with potentials and shortest augmenting paths, O(rows²·columns).
///
/// Exact, and the same for the same costs: of equal paths the one over the first column is taken.
struct LinearAssignment {
  /// What a cost counts that is no finite number, as those of a network whose training failed: more than any other.
  private static let prohibitive = 1e18

  /// The column of each row; nil for rows that get none, since there are more of them than columns.
  ///
  /// - Parameter costs: row by row, `rows`×`columns`.
  static func columns(_ costs: [Double], rows: Int, columns: Int) -> [Int?] {
    if rows <= columns {
      return assigned(rows: rows, columns: columns) { finite(costs[$0 * columns + $1]) }
    }
    var result = [Int?](repeating: nil, count: rows)
    let rowOfColumn = assigned(rows: columns, columns: rows) { finite(costs[$1 * columns + $0]) }
    for (column, row) in rowOfColumn.enumerated() { result[row] = column }
    return result
  }

  private static func finite(_ cost: Double) -> Double { cost.isFinite ? cost : prohibitive }

  /// The column of each row, of which there are no more than columns.
  private static func assigned(rows: Int, columns: Int, cost: (Int, Int) -> Double) -> [Int] {
    // Row and column 0 stand for none: every row begins there, and a path ends at a column that no row has.
    var rowPotentials = [Double](repeating: 0, count: rows + 1)
    var columnPotentials = [Double](repeating: 0, count: columns + 1)
    var rowOfColumn = [Int](repeating: 0, count: columns + 1)
    for row in stride(from: 1, through: rows, by: 1) {
      var distances = [Double](repeating: .infinity, count: columns + 1)
      var before = [Int](repeating: 0, count: columns + 1)
      var isReached = [Bool](repeating: false, count: columns + 1)
      rowOfColumn[0] = row
      var column = 0
      repeat {
        isReached[column] = true
        let current = rowOfColumn[column]
        var (shortest, next) = (Double.infinity, 0)
        for other in 1...columns where !isReached[other] {
          let reduced =
            cost(current - 1, other - 1) - rowPotentials[current] - columnPotentials[other]
          if reduced < distances[other] { (distances[other], before[other]) = (reduced, column) }
          if distances[other] < shortest { (shortest, next) = (distances[other], other) }
        }
        for other in 0...columns {
          if isReached[other] {
            rowPotentials[rowOfColumn[other]] += shortest
            columnPotentials[other] -= shortest
          } else {
            distances[other] -= shortest
          }
        }
        column = next
      } while rowOfColumn[column] != 0
      // The path is walked back, and each row on it moves on to the next column.
      while column != 0 {
        rowOfColumn[column] = rowOfColumn[before[column]]
        column = before[column]
      }
    }
    var result = [Int](repeating: 0, count: rows)
    for column in stride(from: 1, through: columns, by: 1) where rowOfColumn[column] > 0 {
      result[rowOfColumn[column] - 1] = column - 1
    }
    return result
  }
}
