import AviaryTensors

/// Values of a tensor that no trained network has: damage, or a training that went wrong.
///
/// They have to be found where they enter. A network can hide them: a maximum with zero, as processors compute it, makes 0 of what is not
/// a number.
public struct ValueDefect: Sendable, Hashable, CustomStringConvertible {
  /// What is wrong with a value.
  public enum Kind: Sendable, Hashable {
    /// Infinite, or not a number.
    case notFinite
    /// A running variance below 0, of which a square root is to be taken.
    case negativeVariance
  }

  /// What is wrong with the values; a tensor with both kinds is reported for ``Kind/notFinite``.
  public let kind: Kind
  /// The name of the tensor, as the archive has it.
  public let tensor: String
  /// How many values there are of the kind.
  public let count: Int
  /// Where the first of them in row-major order is, a position for each axis.
  public let index: [Int]
  /// The first of them, as float32.
  public let value: Float

  public var description: String {
    let what = kind == .notFinite ? "not finite" : "negative, as no variance is"
    let values = count == 1 ? "1 value is \(what)" : "\(count) values are \(what)"
    let text = value.isNaN ? "NaN" : "\(value)"
    return "\(tensor.quoted): \(values), the first is \(text) at \(index)"
  }
}

extension ValueDefect {
  /// What is wrong with the values of tensors, by name, in their order; empty when nothing is. One pass over the bytes, on all cores.
  public static func all(in tensors: [(name: String, tensor: Tensor)]) -> [ValueDefect] {
    let floats = tensors.filter { $0.tensor.dtype.isFloatingPoint }
    return zip(floats, NonFiniteScan.results(floats.map(\.tensor))).compactMap { item, isFound in
      if isFound { return ValueDefect(.notFinite, item) { !$0.isFinite } }
      return item.name.isOfVariance ? ValueDefect(.negativeVariance, item) { $0 < 0 } : nil
    }
  }

  private init?(
    _ kind: Kind, _ item: (name: String, tensor: Tensor), where isWrong: (Float) -> Bool
  ) {
    let values = item.tensor.cast(to: .float32).values()
    guard let first = values.firstIndex(where: isWrong) else { return nil }
    self.init(
      kind: kind, tensor: item.name, count: values.count(where: isWrong),
      index: item.tensor.shape.index(ofElement: first), value: values[first])
  }
}

extension Tensor {
  /// Whether a value of a floating-point tensor is infinite or not a number.
  var hasNonFiniteValues: Bool { dtype.isFloatingPoint && NonFiniteScan.results([self])[0] }
}

extension WeightArchive {
  /// What is wrong with the values of all tensors, in order; empty when nothing is. Reads all of them, one after another.
  public func valueDefects() -> [ValueDefect] {
    names.flatMap { name -> [ValueDefect] in
      defer { trimCache() }
      // Where elements are moved to does not matter as long as all are right.
      guard name.isOfVariance || unmoved(name).hasNonFiniteValues else { return [] }
      return ValueDefect.all(in: [(name, self[name]!)])
    }
  }
}

extension WeightsError {
  /// Weights with values that no network can use; nil when there are none.
  public init?(_ defects: [ValueDefect], file: String? = nil) {
    guard let first = defects.first else { return nil }
    let others = defects.dropFirst().prefix(4).map(\.tensor.quoted)
    let more = defects.count > 5 ? " and \(defects.count - 5) more" : ""
    let rest = others.isEmpty ? "" : "; also in \(others.joined(separator: ", "))\(more)"
    self.init(.nonFinite, "\(first)\(rest)", file: file)
  }
}

extension String {
  /// Whether a tensor of this name holds a variance, which our names and Keras' tell.
  fileprivate var isOfVariance: Bool {
    hasSuffix("running_var") || hasSuffix("moving_variance") || hasSuffix("moving_variance:0")
  }
}

extension Shape {
  /// The place of an element counted in row-major order.
  func index(ofElement position: Int) -> [Int] {
    var rest = position
    var index = [Int](repeating: 0, count: count)
    for axis in indices.reversed() {
      index[axis] = rest % self[axis]
      rest /= self[axis]
    }
    return index
  }
}
