/// What is told instead of refused when weights are loaded.
public struct Allowance: OptionSet, Sendable, Hashable {
  public let rawValue: Int
  public init(rawValue: Int) { self.rawValue = rawValue }

  /// Values that are infinite or not numbers, and running variances below 0.
  public static let nonFinite = Allowance(rawValue: 1)
  /// Tensors that the model does not have; they are left out. Where a new head comes, another head or a loss needs no permission.
  public static let unexpected = Allowance(rawValue: 2)

  /// For errors: how a program and its users say that it may be.
  package var hint: String {
    self == .nonFinite
      ? "--allow-nonfinite (allowing: .nonFinite) takes them all the same"
      : "--ignore-unexpected (allowing: .unexpected) leaves them out"
  }

  /// A sentence about values that no network can use, when they are allowed; throws it when they are not.
  package func told(_ defects: [ValueDefect], file: String) throws -> String? {
    guard let error = WeightsError(defects, file: file) else { return nil }
    guard contains(.nonFinite) else {
      throw WeightsError(error.kind, "\(error.reason); \(Allowance.nonFinite.hint)", file: file)
    }
    return "values that no network can use: \(error.reason)"
  }
}

extension WeightArchive {
  /// Throws `WeightsError` for values that no network can use, unless `allowing` says that they may be there; returns then what they are.
  public func requireUsableValues(file: String, allowing: Allowance) throws -> String? {
    try allowing.told(valueDefects(), file: file)
  }
}
