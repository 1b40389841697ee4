/// The settings that hold for the operations inside a scope, carried by the task and not by any global variable.
struct ExecutionScope: Sendable {
  var isExact = false
  /// True inside a gradient scope.
  var isRecording = false
  var trace: Trace?
  var generator: RandomGenerator = .system

  @TaskLocal static var current = ExecutionScope()

  static func with<Result>(
    _ change: (inout ExecutionScope) -> Void, _ body: () throws -> Result
  ) rethrows -> Result {
    var scope = current
    change(&scope)
    return try $current.withValue(scope, operation: body)
  }
}

/// Runs `body` with direct algorithms only: no Winograd transforms, whose rounding differs by about 1e-6 of the largest value.
public func withExactArithmetic<Result>(_ body: () throws -> Result) rethrows -> Result {
  try ExecutionScope.with({ $0.isExact = true }, body)
}

/// Runs `body` recording what is computed from tracked tensors, so that ``backward(from:to:)`` can follow it.
public func withRecording<Result>(_ body: () throws -> Result) rethrows -> Result {
  try ExecutionScope.with({ $0.isRecording = true }, body)
}

/// Runs `body` without recording: nothing is kept for gradients, even of tracked tensors.
public func withoutRecording<Result>(_ body: () throws -> Result) rethrows -> Result {
  try ExecutionScope.with({ $0.isRecording = false }, body)
}

/// Runs `body` with random numbers that depend only on `seed`, whatever the number of threads.
public func withRandomSeed<Result>(_ seed: UInt64, _ body: () throws -> Result) rethrows -> Result {
  let generator = RandomGenerator(seed: seed)
  return try ExecutionScope.with({ $0.generator = generator }, body)
}
