/// How many letters must be added, removed or changed to make `b` of `a` (Levenshtein), over the first 200.
func editDistance(_ a: String, _ b: String) -> Int {
  let a = Array(a.utf8.prefix(200))
  let b = Array(b.utf8.prefix(200))
  var row = Array(0...b.count)
  for (i, x) in a.enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    for (j, y) in b.enumerated() {
      let change = diagonal + (x == y ? 0 : 1)
      diagonal = row[j + 1]
      row[j + 1] = min(change, row[j] + 1, diagonal + 1)
    }
  }
  return row[b.count]
}

/// The candidate that looks most like what was given, for error messages.
public func nearestName(to name: String, in candidates: [String]) -> String? {
  let name = name.lowercased()
  return candidates.min { editDistance(name, $0.lowercased()) < editDistance(name, $1.lowercased()) }
}
