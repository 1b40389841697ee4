import AviaryTensors

/// Labelled examples that can be had in any order.
public protocol Dataset: TrainingData where Batch == AviaryTraining.Batch {
  /// One name per class.
  var classNames: [String] { get }
  /// The class of an example, without decoding it.
  func label(_ index: Int) -> Int
  /// One example without a batch axis, such as C×H×W.
  func input(_ index: Int) throws -> Tensor
}

/// A batch: inputs N×…, int64 labels N.
public struct Batch: Sendable {
  /// N×…, one row per example.
  public let inputs: Tensor
  /// The class of each example, int64 N.
  public let labels: Tensor
  /// The numbers of the examples in their data set, for messages.
  public let examples: [Int]
  /// Examples in the batch.
  public var count: Int { inputs.shape[0] }

  /// Inputs N×… with int64 labels N; the examples are numbered from 0 where nothing else is said.
  public init(inputs: Tensor, labels: Tensor, examples: [Int]? = nil) {
    self.inputs = inputs
    self.labels = labels
    self.examples = examples ?? Array(0..<(labels.shape.first ?? 0))
  }
}

extension Dataset {
  /// Ends the program unless there is such an example.
  func requireExample(_ index: Int) { require(0..<count ~= index, "example \(index) of \(count)") }

  /// The examples `indices`, stacked.
  public func batch(_ indices: [Int]) throws -> Batch {
    require(!indices.isEmpty, "a batch of no examples was asked for")
    return Batch(
      inputs: stack(try indices.map { try input($0) }), labels: Tensor(indices.map { Int64(label($0)) }),
      examples: indices)
  }

  /// Two parts with every class in both, in the given share: (1 − validation, validation). The same seed gives the same parts.
  public func split(validation share: Float, seed: UInt64 = 0) -> (training: Subset, validation: Subset) {
    require(0...1 ~= share, "a share of \(share) of the examples was asked for")
    var training: [Int] = []
    var validation: [Int] = []
    let order = Tensor.permutation(count, using: RandomGenerator(seed: seed))
    for group in Dictionary(grouping: order, by: label).sorted(by: { $0.key < $1.key }) {
      // At least one example of each class on both sides, where there are two.
      let wanted = Int((Float(group.value.count) * share).rounded())
      let kept = group.value.count < 2 ? 0 : min(max(wanted, share > 0 ? 1 : 0), group.value.count - 1)
      validation += group.value.prefix(kept)
      training += group.value.dropFirst(kept)
    }
    return (Subset(self, training.sorted()), Subset(self, validation.sorted()))
  }
}

/// Some examples of another data set, which vary where the other's do.
public struct Subset: Dataset, VaryingData {
  private let base: any Dataset
  private let indices: [Int]

  /// The examples `indices` of `base`, in this order.
  public init(_ base: any Dataset, _ indices: [Int]) {
    for index in indices { base.requireExample(index) }
    self.base = base
    self.indices = indices
  }

  /// As many as were chosen.
  public var count: Int { indices.count }
  public var classNames: [String] { base.classNames }
  public func label(_ index: Int) -> Int {
    requireExample(index)
    return base.label(indices[index])
  }
  public func input(_ index: Int) throws -> Tensor {
    requireExample(index)
    return try base.input(indices[index])
  }
  public func batch(_ indices: [Int], epoch: Int, seed: UInt64) throws -> Batch {
    for index in indices { requireExample(index) }
    let batch = try base.varyingBatch(indices.map { self.indices[$0] }, epoch: epoch, seed: seed)
    return Batch(inputs: batch.inputs, labels: batch.labels, examples: indices)
  }
}

/// Examples that are in memory already.
public struct TensorDataset: Dataset {
  /// N×….
  private let inputs: Tensor
  private let labels: [Int]
  public let classNames: [String]

  /// Inputs N×… with a class for each.
  public init(inputs: Tensor, labels: [Int], classNames: [String]) {
    require(inputs.shape.first == labels.count, "\(labels.count) labels for inputs \(inputs.shape)")
    self.inputs = inputs
    self.labels = labels
    self.classNames = classNames
  }

  /// Examples in memory.
  public var count: Int { labels.count }
  public func label(_ index: Int) -> Int {
    requireExample(index)
    return labels[index]
  }
  public func input(_ index: Int) -> Tensor {
    requireExample(index)
    return inputs[index]
  }
}
