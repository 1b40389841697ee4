import AviaryTensors
import Synchronization

/// Values of a tensor that no trained network has: damage, or a training that went wrong.
///
/// They have to be found where they enter. A network can hide them: a maximum with zero, as processors compute it, makes 0 of what is not
/// a number.
public struct ValueDefect: Sendable, Hashable, CustomStringConvertible {
  public enum Kind: Sendable, Hashable {
    /// Infinite, or not a number.
    case notFinite
    /// A running variance below 0, of which a square root is to be taken.
    case negativeVariance
  }

  public let kind: Kind
  public let tensor: String
  /// How many values there are of the kind.
  public let count: Int
  /// Where the first of them is, and what it is.
  public let index: [Int]
  public let value: Float

  public var description: String {
    let what = kind == .notFinite ? "not finite" : "negative, as no variance is"
    let values = count == 1 ? "1 value is \(what)" : "\(count) values are \(what)"
    let text = value.isNaN ? "NaN" : "\(value)"
    return "\(tensor.quoted): \(values), the first is \(text) at \(index)"
  }
}

extension Tensor {
  /// What is wrong with the values of the tensor called `name`; nil when nothing is. One pass over the bytes, on all cores.
  public func valueDefect(named name: String) -> ValueDefect? {
    guard dtype.isFloatingPoint else { return nil }
    func defect(_ kind: ValueDefect.Kind, _ isWrong: (Float) -> Bool) -> ValueDefect? {
      let values = cast(to: .float32).values()
      guard let first = values.firstIndex(where: isWrong) else { return nil }
      return ValueDefect(
        kind: kind, tensor: name, count: values.count(where: isWrong), index: shape.index(ofElement: first),
        value: values[first])
    }
    if hasNonFiniteValues { return defect(.notFinite) { !$0.isFinite } }
    return name.isOfVariance ? defect(.negativeVariance) { $0 < 0 } : nil
  }

  /// Whether a value of a floating-point tensor is infinite or not a number.
  var hasNonFiniteValues: Bool {
    let exponent: ExponentBits =
      switch dtype {
      case .float16: .init(mask: 0x7C00, width: 16)
      case .bfloat16: .init(mask: 0x7F80, width: 16)
      default: .init(mask: 0x7F80_0000, width: 32)
      }
    return withUnsafeBytes { exponent.areAllSet(inAnyOf: $0) }
  }
}

extension WeightArchive {
  /// What is wrong with the values of all tensors, in order; empty when nothing is. Reads all of them.
  public func valueDefects() -> [ValueDefect] {
    names.compactMap { name in
      defer { trimCache() }
      // Where its elements are moved does not matter as long as all are right.
      guard name.isOfVariance || unmoved(name).hasNonFiniteValues else { return nil }
      return self[name]!.valueDefect(named: name)
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

/// The bits of a floating-point number that are all set in infinities and in what is not a number, in every number of 64 bits.
private struct ExponentBits {
  private let mask: UInt64
  /// The lowest bit of each exponent.
  private let lowest: UInt64
  /// Where an addition to it carries to.
  private let carry: UInt64

  init(mask: UInt64, width: UInt64) {
    let repeated: UInt64 = width == 16 ? 0x0001_0001_0001_0001 : 0x0000_0001_0000_0001
    self.mask = mask * repeated
    lowest = (mask & (~mask + 1)) * repeated
    carry = (1 << (width - 1)) * repeated
  }

  /// Bytes that pay for a second thread.
  private static let grain = 128 << 10

  func areAllSet(inAnyOf bytes: UnsafeRawBufferPointer) -> Bool {
    guard let base = bytes.baseAddress else { return false }
    let vectorBytes = MemoryLayout<SIMD8<UInt64>>.size
    let vectors = bytes.count / vectorBytes
    let found = Atomic(false)
    Parallel.forEachRange(vectors, grain: Self.grain / vectorBytes) { range in
      var carried = SIMD8<UInt64>.zero
      for index in range {
        let words = base.loadUnaligned(fromByteOffset: index * vectorBytes, as: SIMD8<UInt64>.self)
        carried |= (words & mask) &+ lowest
      }
      if carried & carry != .zero { found.store(true, ordering: .relaxed) }
    }
    var rest = SIMD8<UInt64>.zero
    withUnsafeMutableBytes(of: &rest) {
      $0.copyMemory(from: .init(rebasing: bytes[(vectors * vectorBytes)...]))
    }
    return found.load(ordering: .relaxed) || ((rest & mask) &+ lowest) & carry != .zero
  }
}
