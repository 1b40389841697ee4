extension Zoo {
  /// What is told in ``LoadedModel/changes`` instead of refused when weights are loaded.
  public struct Allowance: OptionSet, Sendable, Hashable {
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// Values that are infinite or not numbers, and running variances below 0.
    public static let nonFinite = Allowance(rawValue: 1)
    /// Tensors that the model does not have; they are left out. Where a new head comes, another head or a loss needs no permission.
    public static let unexpected = Allowance(rawValue: 2)
  }
}
