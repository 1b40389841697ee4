import AviaryTensors

/// What a network returned means nothing: it is infinite or no number.
public struct NoNumbers: Error, CustomStringConvertible, Equatable {
  /// What it was fed with.
  public let input: String

  /// For an input that messages call `input`.
  public init(of input: String) { self.input = input }

  public var description: String { "the network's outputs for \(input) are not numbers" }
}

extension Tensor {
  /// Throws ``NoNumbers`` naming `input`, unless all values are finite.
  func requireNumbers(of input: String) throws(NoNumbers) {
    guard values().allSatisfy(\.isFinite) else { throw NoNumbers(of: input) }
  }
}
