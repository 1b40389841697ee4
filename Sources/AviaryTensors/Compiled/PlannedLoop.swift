/// One of this package's own loops, as a step of a plan.
protocol PlannedLoop: Sendable {
  /// What people who ask where the time goes are told.
  var implementation: String { get }
  /// - Parameter operands: where the values lie, in an order and in layouts that the loop decides.
  func run(_ operands: [UnsafeMutablePointer<Float>])
}
