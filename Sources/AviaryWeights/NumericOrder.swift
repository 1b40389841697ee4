/// Names with numbers in the order people expect: `conv2d_2` before `conv2d_10`.
enum NumericOrder {
  /// Compares bytes of UTF-8, whose order is that of the characters' numbers.
  static func precedes(_ a: String, _ b: String) -> Bool {
    var (x, y) = (a.utf8[...], b.utf8[...])
    while let p = x.first, let q = y.first {
      if isDigit(p), isDigit(q) {
        let (m, n) = (number(&x), number(&y))
        if m.count != n.count { return m.count < n.count }
        if !m.elementsEqual(n) { return m.lexicographicallyPrecedes(n) }
      } else {
        if p != q { return p < q }
        x.removeFirst()
        y.removeFirst()
      }
    }
    if x.isEmpty && y.isEmpty { return a < b }
    return x.isEmpty
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }

  /// The digits at the front without leading zeros: longer is larger.
  private static func number(_ text: inout Substring.UTF8View) -> Substring.UTF8View {
    let digits = text.prefix(while: isDigit)
    text = text[digits.endIndex...]
    return digits.drop { $0 == UInt8(ascii: "0") }
  }
}
