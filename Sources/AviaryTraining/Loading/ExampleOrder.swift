import AviaryTensors

/// In which order an epoch takes its examples.
public enum ExampleOrder: Sendable, Hashable {
  /// From the first to the last, in every epoch.
  case sequential
  /// Each once, in an order that seed and epoch decide.
  case shuffled
  /// As many draws as there are examples, each example as likely as its weight says, some more than once and others not at all: examples of
  /// rare classes often enough.
  case weighted([Float])

  /// Draws under which each class comes equally often.
  public static func balanced(_ data: some Dataset) -> ExampleOrder {
    let weights = ClassBalance(data).weights
    return .weighted((0..<data.count).map { weights[data.label($0)] })
  }

  /// The numbers of an epoch's examples, of `count`.
  public func indices(of count: Int, epoch: Int, seed: UInt64) -> [Int] {
    let generator = RandomGenerator(seed: seed, path: UInt64(epoch))
    switch self {
    case .sequential: return Array(0..<count)
    case .shuffled: return Tensor.permutation(count, using: generator)
    case .weighted(let weights):
      require(
        weights.count == count && weights.allSatisfy { $0 >= 0 && $0.isFinite }
          && (count == 0 || weights.contains { $0 > 0 }),
        "\(weights.count) weights for \(count) examples; none below 0, at least one above")
      var sums: [Double] = []
      for weight in weights { sums.append((sums.last ?? 0) + Double(weight)) }
      // A Float's 24 bits would not tell the examples of a large data set apart.
      let most = Int(UInt32.max)
      return (0..<count).map { _ in
        // The first sum above the draw: examples without weight are never it.
        let draw = Double(generator.integer(in: 0..<most)) / Double(most) * sums[count - 1]
        var (low, high) = (0, count - 1)
        while low < high {
          let middle = (low + high) / 2
          if sums[middle] > draw { high = middle } else { low = middle + 1 }
        }
        return low
      }
    }
  }
}
