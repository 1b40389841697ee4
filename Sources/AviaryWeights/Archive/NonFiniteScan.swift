import AviaryTensors

/// Finds values that are infinite or not numbers, as fast as memory can be read.
enum NonFiniteScan {
  /// Bytes that a thread looks at before it notes what it found.
  private static let pieceBytes = 256 << 10

  /// For each of some floating-point tensors, whether it holds such a value.
  static func results(_ tensors: [Tensor]) -> [Bool] {
    let flat = tensors.map { $0.reshaped([$0.count]) }
    let pieces = flat.indices.flatMap { index in
      let byteCount = flat[index].count * flat[index].dtype.byteCount
      return stride(from: 0, to: byteCount, by: pieceBytes).map { start in
        (tensor: index, bytes: start..<min(start + pieceBytes, byteCount))
      }
    }
    var found = [Bool](repeating: false, count: pieces.count)
    found.withUnsafeMutableBufferPointer { found in
      Parallel.forEachRange(pieces.count) { range in
        for (index, piece) in zip(range, pieces[range]) {
          let tensor = flat[piece.tensor]
          found[index] = tensor.withUnsafeBytes { bytes in
            ExponentBits(of: tensor.dtype).areAllSet(inAnyOf: .init(rebasing: bytes[piece.bytes]))
          }
        }
      }
    }
    var results = [Bool](repeating: false, count: tensors.count)
    for (piece, isFound) in zip(pieces, found) where isFound { results[piece.tensor] = true }
    return results
  }
}

/// The bits of a floating-point number that are all set in infinities and in what is not a number, for each number in 64 bits.
private struct ExponentBits {
  private let mask: UInt64
  /// The lowest bit of each exponent.
  private let lowest: UInt64
  /// Where it is carried to when all bits are set.
  private let carry: UInt64

  init(of dtype: DType) {
    let (mask, width, repeated): (UInt64, UInt64, UInt64) =
      switch dtype {
      case .float16: (0x7C00, 16, 0x0001_0001_0001_0001)
      case .bfloat16: (0x7F80, 16, 0x0001_0001_0001_0001)
      default: (0x7F80_0000, 32, 0x0000_0001_0000_0001)
      }
    self.mask = mask * repeated
    lowest = (mask & (~mask + 1)) * repeated
    carry = (1 << (width - 1)) * repeated
  }

  func areAllSet(inAnyOf bytes: UnsafeRawBufferPointer) -> Bool {
    guard let base = bytes.baseAddress else { return false }
    let size = MemoryLayout<SIMD8<UInt64>>.size
    let vectors = bytes.count / size
    var carried = SIMD8<UInt64>.zero
    for index in 0..<vectors {
      let words = base.loadUnaligned(fromByteOffset: index * size, as: SIMD8<UInt64>.self)
      carried |= (words & mask) &+ lowest
    }
    var rest = SIMD8<UInt64>.zero
    withUnsafeMutableBytes(of: &rest) { $0.copyMemory(from: .init(rebasing: bytes[(vectors * size)...])) }
    return (carried | ((rest & mask) &+ lowest)) & carry != .zero
  }
}
