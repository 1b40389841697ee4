/// Numbers one at a time, for what is decided example by example.
extension RandomGenerator {
  /// A stream of its own for each path of numbers below a seed, such as epoch and example: the same whoever asks for it, and when.
  public convenience init(seed: UInt64, path: UInt64...) {
    let key = path.reduce(seed) { key, step in
      let words = Philox.words(counter: step, key: key ^ 0xBB67_AE85_84CA_A73B)
      return UInt64(words.x) << 32 | UInt64(words.y)
    }
    self.init(seed: key)
  }

  /// A number drawn uniformly from `range` (its upper end excluded, unless it is empty).
  public func uniform(in range: Range<Float> = 0..<1) -> Float {
    // 24 bits, the precision of a Float, as in `Tensor.uniform`.
    let unit = Float(words().x >> 8) * 0x1p-24
    let value = range.lowerBound + unit * (range.upperBound - range.lowerBound)
    return Swift.max(range.lowerBound, Swift.min(value, range.upperBound.nextDown))
  }

  /// A whole number drawn from `range`, each as likely as the others but for 2⁻³² of it.
  public func integer(in range: Range<Int>) -> Int {
    require(!range.isEmpty && range.count <= Int(UInt32.max), "no number can be drawn from \(range)")
    let words = words()
    let draw = UInt64(words.x) << 32 | UInt64(words.y)
    return range.lowerBound + Int(draw.multipliedFullWidth(by: UInt64(range.count)).high)
  }

  /// True with a probability.
  public func chance(_ probability: Float) -> Bool { uniform() < probability }

  /// Bytes drawn uniformly.
  package func bytes(_ count: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      forEachBlock((count + 15) / 16) { index, words in
        withUnsafeBytes(of: words) { bytes in
          for lane in 0..<Swift.min(16, count - 16 * index) { buffer[16 * index + lane] = bytes[lane] }
        }
      }
      initialized = count
    }
  }

  private func words() -> SIMD4<UInt32> { words(at: reserve(1)) }
}
