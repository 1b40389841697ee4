/// The element type of a tensor.
///
/// `float32` computes; `float16` and `bfloat16` store; integers and Booleans hold labels, tokens and masks.
public enum DType: String, Sendable, Hashable, CaseIterable, Codable {
  /// IEEE 754 single precision, the type everything is computed in.
  case float32
  /// IEEE 754 half precision: five exponent bits, ten stored fraction bits.
  case float16
  /// The upper half of a float32, a ``BFloat16``.
  case bfloat16
  /// Signed, 32 bits.
  case int32
  /// Signed, 64 bits: labels, tokens and positions.
  case int64
  /// Unsigned, 8 bits: the samples of pictures.
  case uint8
  /// One byte per element, 0 or 1: masks.
  case bool

  /// Bytes of one element.
  public var byteCount: Int {
    switch self {
    case .float32, .int32: 4
    case .float16, .bfloat16: 2
    case .int64: 8
    case .uint8, .bool: 1
    }
  }

  /// True for the three floating-point types, the only ones gradients flow through.
  public var isFloatingPoint: Bool {
    switch self {
    case .float32, .float16, .bfloat16: true
    case .int32, .int64, .uint8, .bool: false
    }
  }

  /// Whether compiled networks can compute in this type on this processor: float32 everywhere, bfloat16 with AVX-512.
  public var isComputed: Bool { self == .float32 || self == .bfloat16 && OneDNN.usesAVX512 }
}

/// A Swift type whose values a tensor of the matching ``DType`` can hold.
public protocol TensorScalar: Sendable, BitwiseCopyable {
  /// The element type of tensors that hold such values.
  static var dtype: DType { get }
}

extension Float: TensorScalar { public static var dtype: DType { .float32 } }
extension Float16: TensorScalar { public static var dtype: DType { .float16 } }
extension Int32: TensorScalar { public static var dtype: DType { .int32 } }
extension Int64: TensorScalar { public static var dtype: DType { .int64 } }
extension UInt8: TensorScalar { public static var dtype: DType { .uint8 } }
extension Bool: TensorScalar { public static var dtype: DType { .bool } }

/// The upper half of a `Float`: eight exponent bits, seven stored fraction bits.
public struct BFloat16: TensorScalar, Hashable {
  /// Values are stored as ``DType/bfloat16``.
  public static var dtype: DType { .bfloat16 }
  /// Sign, exponent and fraction, from the highest bit down.
  public var bitPattern: UInt16

  /// The number whose sign, exponent and fraction are these bits.
  public init(bitPattern: UInt16) { self.bitPattern = bitPattern }

  /// Rounds to nearest, ties to even; a NaN stays a (quiet) NaN.
  @inlinable public init(_ value: Float) {
    let bits = value.bitPattern
    if value.isNaN {
      bitPattern = UInt16(truncatingIfNeeded: bits >> 16) | 0x40
    } else {
      bitPattern = UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) >> 16)
    }
  }

  /// The same number as a `Float`, which holds every one of them exactly.
  @inlinable public var floatValue: Float { Float(bitPattern: UInt32(bitPattern) << 16) }
}
