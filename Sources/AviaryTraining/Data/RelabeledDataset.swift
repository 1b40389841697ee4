import AviaryTensors

/// Another data set with its classes renumbered: into a longer list, of which it has some, or in another order.
public struct RelabeledDataset: Dataset, VaryingData {
  private let base: any Dataset
  private let classes: [Int]
  public let classNames: [String]

  /// - Parameter classes: for each class of `base` its place in `classNames`.
  public init(_ base: any Dataset, classes: [Int], classNames: [String]) {
    require(
      classes.count == base.classNames.count && classes.allSatisfy(classNames.indices.contains),
      "\(classes) does not place \(base.classNames.count) classes among \(classNames.count)")
    self.base = base
    self.classes = classes
    self.classNames = classNames
  }

  /// Examples of the other data set: all of them.
  public var count: Int { base.count }
  public func label(_ index: Int) -> Int { classes[base.label(index)] }
  public func input(_ index: Int) throws -> Tensor { try base.input(index) }
  public func batch(_ indices: [Int], epoch: Int, seed: UInt64) throws -> Batch {
    let batch = try base.varyingBatch(indices, epoch: epoch, seed: seed)
    return Batch(inputs: batch.inputs, labels: Tensor(indices.map { Int64(label($0)) }), examples: indices)
  }
}
