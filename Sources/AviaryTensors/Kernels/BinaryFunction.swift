import Foundation

/// A function of two numbers as a type: loops over it are compiled with the function inside. A closure would be called for every
/// element, which takes ten times as long as the arithmetic.
protocol BinaryFunction: Sendable {
  associatedtype Operand: TensorScalar
  associatedtype Result: TensorScalar
  func callAsFunction(_ x: Operand, _ y: Operand) -> Result
  /// Two zeros give zero: blocks that are filled up with zeros stay so.
  var keepsZero: Bool { get }
}

extension BinaryFunction {
  var keepsZero: Bool { true }
}

struct Sum: BinaryFunction { func callAsFunction(_ x: Float, _ y: Float) -> Float { x + y } }
struct Difference: BinaryFunction { func callAsFunction(_ x: Float, _ y: Float) -> Float { x - y } }
struct Product: BinaryFunction { func callAsFunction(_ x: Float, _ y: Float) -> Float { x * y } }

struct Quotient: BinaryFunction {
  func callAsFunction(_ x: Float, _ y: Float) -> Float { x / y }
  var keepsZero: Bool { false }
}

/// A NaN on either side stays, as in PyTorch.
struct Larger: BinaryFunction {
  func callAsFunction(_ x: Float, _ y: Float) -> Float { x > y || x.isNaN ? x : y }
}

struct Smaller: BinaryFunction {
  func callAsFunction(_ x: Float, _ y: Float) -> Float { x < y || x.isNaN ? x : y }
}

struct Power: BinaryFunction {
  func callAsFunction(_ x: Float, _ y: Float) -> Float { powf(x, y) }
  var keepsZero: Bool { false }
}

/// The left number where the right one is positive or a NaN, else 0.
struct Masked: BinaryFunction { func callAsFunction(_ x: Float, _ y: Float) -> Float { y <= 0 ? 0 : x } }

/// Arithmetic of integers, which wraps around; division by zero gives zero.
struct IntegerFunction<Scalar: TensorScalar & FixedWidthInteger>: BinaryFunction {
  let kind: Arithmetic.Kind

  func callAsFunction(_ x: Scalar, _ y: Scalar) -> Scalar {
    switch kind {
    case .add: x &+ y
    case .subtract: x &- y
    case .multiply: x &* y
    case .divide: y == 0 ? 0 : x.dividedReportingOverflow(by: y).partialValue
    case .maximum: max(x, y)
    case .minimum: min(x, y)
    case .power: requirementFailure("integers have no power")
    }
  }
}

/// A comparison, true or false.
struct ComparisonFunction<Scalar: TensorScalar & Comparable>: BinaryFunction {
  let kind: Comparison.Kind

  func callAsFunction(_ x: Scalar, _ y: Scalar) -> Bool {
    switch kind {
    case .equal: x == y
    case .less: x < y
    case .greater: x > y
    case .lessOrEqual: x <= y
    case .greaterOrEqual: x >= y
    }
  }
}
