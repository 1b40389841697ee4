import AviaryTensors
import Foundation

/// The batches of an epoch, made ahead by workers, taken in order by one consumer.
public final class LoadedBatches<Batch: Sendable> {
  private let queue: BatchQueue<Batch>
  /// The number of the batch that comes next.
  public private(set) var position: Int
  /// Seconds that ``next()`` has waited for batches.
  public private(set) var secondsWaited = 0.0

  init(_ numbers: Range<Int>, workers: Int, prefetch: Int, make: @escaping @Sendable (Int) throws -> Batch) {
    position = numbers.lowerBound
    queue = BatchQueue(numbers, prefetch: prefetch, make: make)
    queue.start(workers: min(workers, numbers.count))
  }

  /// Nobody wants the rest: waits until the workers have seen it.
  deinit { queue.stop() }

  /// The next batch, nil after the last one. What went wrong when it was made is thrown in its place, naming the file where there is one;
  /// the batches after it can still be had.
  public func next() throws -> Batch? {
    let start = ContinuousClock.now
    guard let result = queue.take(position) else { return nil }
    let waited = (ContinuousClock.now - start).components
    secondsWaited += Double(waited.seconds) + Double(waited.attoseconds) * 1e-18
    position += 1
    return try result.get()
  }

  /// Ends the work on batches that were not taken; there are none any more.
  public func stop() { queue.stop() }
}
