import AviaryTensors

/// One, two or three spatial axes, as a type parameter of the layers that work on them.
public protocol SpatialRank {
  /// The number of spatial axes.
  static var count: Int { get }
}
/// One spatial axis, such as time: N×C×T.
public enum Rank1: SpatialRank { public static var count: Int { 1 } }
/// Two spatial axes: N×C×H×W.
public enum Rank2: SpatialRank { public static var count: Int { 2 } }
/// Three spatial axes, of volumes or films: N×C×depth×H×W.
public enum Rank3: SpatialRank { public static var count: Int { 3 } }

/// Sizes per spatial axis; one number stands for all axes.
public struct Extents: Hashable, Sendable, ExpressibleByIntegerLiteral, ExpressibleByArrayLiteral {
  private let values: [Int]

  /// One size per spatial axis, or a single one for all.
  public init(_ values: [Int]) { self.values = values }
  /// The same size along every spatial axis.
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
  /// Different numbers before and after.
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
