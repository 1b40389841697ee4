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

/// The candidate that looks most like what was given, for error messages; nil where none is near: more than two letters and more than a
/// third of them differ, and none continues what was given.
package func nearestName(to name: String, in candidates: [String]) -> String? {
  let name = name.lowercased()
  let limit = max(name.utf8.count / 3, min(name.utf8.count / 2, 2))
  let distances = candidates.map { (candidate: $0, distance: editDistance(name, $0.lowercased())) }
  if let nearest = distances.min(by: { $0.distance < $1.distance }), nearest.distance <= limit {
    return nearest.candidate
  }
  guard name.utf8.count >= 3 else { return nil }
  return candidates.filter { $0.lowercased().hasPrefix(name) }.min { $0.utf8.count < $1.utf8.count }
}
