/// Weights made from a tensor's name alone, bit for bit those of `tools/reference/deterministic.py`, which describes them.
public enum DeterministicWeights {
  /// A stand-in for a normalised picture of the given shape, values in -2..<2.
  public static func image(named name: String = "input", shape: [Int] = [1, 3, 224, 224]) -> [Float] {
    numbers(name, count: shape.reduce(1, *)) { 4 * $0 - 2 }
  }

  /// The weight that a torch state dict calls `name`, row-major in torch's layout.
  public static func torch(_ name: String, shape: [Int], spread: Float = 1) -> [Float] {
    let count = shape.reduce(1, *)
    if name.hasSuffix("num_batches_tracked") { return [Float](repeating: 0, count: count) }
    if shape.count >= 2 { return kernel(name, count: count, fanIn: shape.dropFirst().reduce(1, *)) }
    if name.hasSuffix("running_var") { return numbers(name, count: count) { (1 + $0) * spread } }
    if name.hasSuffix(".weight") { return numbers(name, count: count) { 0.5 + $0 } }
    return vector(name, count: count)
  }

  /// The weight `<layer>/<weight>` of a Keras model, row-major in Keras' layout.
  public static func keras(
    _ name: String, shape: [Int], isDepthwise: Bool = false, spread: Float = 1
  ) -> [Float] {
    let count = shape.reduce(1, *)
    if shape.count >= 2 {
      let axes = isDepthwise ? shape.prefix(2) : shape.dropLast()
      return kernel(name, count: count, fanIn: axes.reduce(1, *))
    }
    if name.hasSuffix("/moving_variance") { return numbers(name, count: count) { (1 + $0) * spread } }
    if name.hasSuffix("/gamma") { return numbers(name, count: count) { 0.5 + $0 } }
    return vector(name, count: count)
  }

  private static func kernel(_ name: String, count: Int, fanIn: Int) -> [Float] {
    let bound = Float((6 / Double(fanIn)).squareRoot())
    return numbers(name, count: count) { (2 * $0 - 1) * bound }
  }

  private static func vector(_ name: String, count: Int) -> [Float] {
    numbers(name, count: count) { 0.2 * $0 - 0.1 }
  }

  /// `transform` of the numbers u in 0..<1: the upper 24 bits of splitmix64 from the FNV-1a hash of the name.
  private static func numbers(_ name: String, count: Int, _ transform: (Float) -> Float) -> [Float] {
    var state: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in name.utf8 { state = (state ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return [Float](unsafeUninitializedCapacity: count) { values, initialized in
      for index in 0..<count {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        z ^= z >> 31
        values[index] = transform(Float(z >> 40) * 0x1p-24)
      }
      initialized = count
    }
  }
}
