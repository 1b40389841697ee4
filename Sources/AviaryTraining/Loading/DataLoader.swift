import AviaryTensors

/// Makes the batches of training while the network learns from earlier ones.
///
/// Which examples a batch has and how they look is decided by seed, epoch and the batch's number alone: the number of workers, how far they
/// are ahead and where one begins change nothing, so that training can go on in the middle of an epoch.
///
///     let loader = DataLoader(data, batchSize: 32, seed: 1)
///     let batches = loader.epoch(3, startingAt: 17)
///     while let batch = try batches.next() { … }
public struct DataLoader<Batch: Sendable>: Sendable {
  /// What is loaded.
  public let data: any TrainingData<Batch>
  /// Examples of a batch; the last one of an epoch may have fewer.
  public let batchSize: Int
  /// What decides order and augmentation.
  public let seed: UInt64
  /// In which order examples are taken.
  public let order: ExampleOrder
  /// Whether a last batch with fewer examples is left out.
  public let dropsLast: Bool
  /// Whether examples that look different in every epoch do; false for validation.
  public let isVarying: Bool
  /// Threads that make batches. Without any, whoever asks for a batch makes it.
  public let workers: Int
  /// Batches that may be ready or under way beyond the one in use: what bounds memory.
  public let prefetch: Int

  /// A loader with the properties of these names. One worker is enough where a batch takes less time to make than to learn from.
  public init(
    _ data: any TrainingData<Batch>, batchSize: Int, seed: UInt64 = 0, order: ExampleOrder = .shuffled,
    dropsLast: Bool = false, isVarying: Bool = true, workers: Int = 1, prefetch: Int = 2
  ) {
    require(
      batchSize > 0 && workers >= 0 && prefetch > 0,
      "batches of \(batchSize), \(workers) workers, \(prefetch) batches ahead")
    self.data = data
    self.batchSize = batchSize
    self.seed = seed
    self.order = order
    self.dropsLast = dropsLast
    self.isVarying = isVarying
    self.workers = workers
    self.prefetch = prefetch
  }

  /// Batches of an epoch.
  public var batchCount: Int { dropsLast ? data.count / batchSize : (data.count + batchSize - 1) / batchSize }

  /// The examples of an epoch's batches.
  public func indices(epoch: Int) -> [[Int]] {
    let all = order.indices(of: data.count, epoch: epoch, seed: seed)
    return (0..<batchCount).map { Array(all[$0 * batchSize..<min(($0 + 1) * batchSize, all.count)]) }
  }

  /// The batches of an epoch from number `first` on. Work begins at once, and ends when nobody holds what is returned any more.
  public func epoch(_ epoch: Int, startingAt first: Int = 0) -> LoadedBatches<Batch> {
    require(epoch >= 0 && 0...batchCount ~= first, "batch \(first) of \(batchCount) in epoch \(epoch)")
    let indices = indices(epoch: epoch)
    let (data, seed, isVarying) = (data, seed, isVarying)
    return LoadedBatches(first..<indices.count, workers: workers, prefetch: prefetch) { number in
      isVarying
        ? try data.varyingBatch(indices[number], epoch: epoch, seed: seed) : try data.batch(indices[number])
    }
  }
}
