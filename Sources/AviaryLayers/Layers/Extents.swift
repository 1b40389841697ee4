import AviaryTensors

/// One, two or three spatial axes, as a type parameter of the layers that work on them.
public protocol SpatialRank { static var count: Int { get } }
public enum Rank1: SpatialRank { public static var count: Int { 1 } }
public enum Rank2: SpatialRank { public static var count: Int { 2 } }
public enum Rank3: SpatialRank { public static var count: Int { 3 } }

/// Sizes per spatial axis; one number stands for all axes.
public struct Extents: Hashable, Sendable, ExpressibleByIntegerLiteral, ExpressibleByArrayLiteral {
  private let values: [Int]

  public init(_ values: [Int]) { self.values = values }
  public init(_ value: Int) { values = [value] }
  public init(integerLiteral value: Int) { self.init(value) }
  public init(arrayLiteral elements: Int...) { self.init(elements) }

  func resolved(_ rank: Int) -> [Int] {
    require(values.count == 1 || values.count == rank, "\(values.count) sizes given for \(rank) axes")
    return values.count == rank ? values : .init(repeating: values[0], count: rank)
  }
}

/// The zeros around a layer's input.
public enum LayerPadding: Hashable, Sendable, ExpressibleByIntegerLiteral {
  /// The same before and after.
  case symmetric(Extents)
  case explicit(before: Extents, after: Extents)
  /// TensorFlow's SAME, which depends on the input's size.
  case same

  public init(integerLiteral value: Int) { self = .symmetric(Extents(value)) }

  func resolved(input: Shape, kernel: [Int], stride: [Int], dilation: [Int]) -> Padding {
    let rank = kernel.count
    switch self {
    case .symmetric(let extents): return Padding(extents.resolved(rank))
    case .explicit(let before, let after):
      return Padding(before: before.resolved(rank), after: after.resolved(rank))
    case .same:
      return .same(input: Array(input.dropFirst(2)), kernel: kernel, stride: stride, dilation: dilation)
    }
  }
}
