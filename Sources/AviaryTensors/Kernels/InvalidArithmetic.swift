import CThreads

/// Fast kernels take maxima and compare with instructions that forget a NaN: a ReLU makes 0 of it, and a damaged network answers as if
/// nothing were wrong. The processor notes it, at no cost: it raises a flag whenever a NaN is made (∞ − ∞, 0·∞) or meets such an
/// instruction. Whoever runs a kernel that may forget asks for that flag afterwards, and does again what has to be done otherwise.
///
/// Processors whose instructions forget no NaN (those of ARM) need not raise the flag for a NaN that they meet.
enum InvalidArithmetic {
  /// The result of `fast`, or, where a NaN was made or met in it, what `careful` makes of that.
  ///
  /// The flag stays raised for whoever asks further out.
  static func checked<Result>(_ fast: () -> Result, careful: (Result) -> Result) -> Result {
    let wasRaised = has_invalid_flag()
    clear_invalid_flag()
    let result = fast()
    guard has_invalid_flag() else {
      if wasRaised { raise_invalid_flag() }
      return result
    }
    let better = careful(result)
    raise_invalid_flag()
    return better
  }
}

/// The left number; the right one where that is a NaN.
struct KeepingNaN: BinaryFunction {
  func callAsFunction(_ x: Float, _ y: Float) -> Float { y.isNaN ? y : x }
}

extension BroadcastLoop {
  /// `result`, whose elements were computed from those of `operand`, with the NaN of the operand.
  static func keepingNaN(of operand: Tensor, in result: Tensor) -> Tensor {
    runFlat(KeepingNaN(), result, operand.reordered(to: result.descriptor))
  }
}
