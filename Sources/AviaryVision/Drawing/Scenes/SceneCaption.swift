/// What a drawn picture shows, in words.
enum SceneCaption {
  /// `a red striped circle left of a blue square, an orange ring and a green star`: the object of which most can be seen, where it lies
  /// from the next, then the others.
  static func text(of objects: [(object: SceneObject, instance: Instance)]) -> String {
    let sorted = objects.enumerated().sorted { one, other in
      let (a, b) = (one.element.instance.mask?.area ?? 0, other.element.instance.mask?.area ?? 0)
      return (b, one.offset) < (a, other.offset)
    }.map(\.element)
    let names = sorted.map { named($0.object.words) }
    guard names.count > 1 else { return names.first ?? "nothing" }
    let pair = "\(names[0]) \(relation(sorted[0].instance.box, sorted[1].instance.box)) \(names[1])"
    guard names.count > 2 else { return pair }
    let others = names[2...].dropLast()
    return ([pair] + others).joined(separator: ", ") + " and \(names[names.count - 1])"
  }

  private static func named(_ words: String) -> String {
    ("aeiou".contains(words.first ?? "b") ? "an " : "a ") + words
  }

  /// Along the axis on which the middles of what can be seen lie further apart.
  private static func relation(_ one: Box, _ other: Box) -> String {
    let (dx, dy) = (other.x1 + other.x2 - one.x1 - one.x2, other.y1 + other.y2 - one.y1 - one.y2)
    if abs(dx) >= abs(dy) { return dx >= 0 ? "left of" : "right of" }
    return dy >= 0 ? "above" : "below"
  }
}
