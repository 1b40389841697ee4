import AviaryTensors

/// Text on its way to whoever reads it, which ends where one of several texts begins: what may become one is held back until it is certain.
struct StopText {
  private let stops: [[UInt8]]
  private var held: [UInt8] = []
  /// One of the texts came: nothing follows.
  private(set) var hasEnded = false

  /// - Parameter stops: none of them empty.
  init(_ stops: [String]) {
    require(!stops.contains(""), "a text ends where nothing begins")
    self.stops = stops.map { Array($0.utf8) }
  }

  /// What of the text so far is certain to be a part of it and was not given yet.
  mutating func append(_ text: String) -> String {
    if hasEnded { return "" }
    held += Array(text.utf8)
    for start in held.indices {
      let rest = held[start...]
      if stops.contains(where: { rest.starts(with: $0) }) {
        hasEnded = true
        return take(start)
      }
      // What comes next decides.
      if stops.contains(where: { $0.starts(with: rest) }) { return take(start) }
    }
    return take(held.count)
  }

  /// What was held back, at the end of the text: nothing more comes that would make a longer stop of it.
  mutating func finish() -> String {
    if hasEnded { return "" }
    let end = held.indices.first { start in stops.contains { held[start...].starts(with: $0) } }
    return take(end ?? held.count)
  }

  /// Whole characters: no text begins within one.
  private mutating func take(_ count: Int) -> String {
    defer { held.removeFirst(count) }
    return String(decoding: held[..<count], as: UTF8.self)
  }
}
