import AviaryTensors
import Foundation
import Synchronization

/// What workers and consumer share: the workers hold it and nothing of the consumer, so that the consumer's end ends them.
final class BatchQueue<Batch: Sendable>: Sendable {
  private struct State {
    /// The next batch to be made.
    var upcoming: Int
    /// The next batch to be taken.
    var wanted: Int
    /// Made and not yet taken; at most as many as are made ahead.
    var ready: [Int: Result<Batch, any Error>] = [:]
    var workers = 0
    var isStopped = false
  }

  private let state: Mutex<State>
  /// Signalled after each change of the state.
  private let change = NSCondition()
  private let end: Int
  private let prefetch: Int
  private let make: @Sendable (Int) throws -> Batch

  init(_ numbers: Range<Int>, prefetch: Int, make: @escaping @Sendable (Int) throws -> Batch) {
    state = Mutex(State(upcoming: numbers.lowerBound, wanted: numbers.lowerBound))
    end = numbers.upperBound
    self.prefetch = prefetch
    self.make = make
  }

  func start(workers: Int) {
    state.withLock { $0.workers = workers }
    for worker in 0..<workers { Parallel.startHelper("loader \(worker)") { self.work() } }
  }

  /// Tells the workers to stop after the batch that they are at, and waits until they have.
  func stop() {
    update { state in
      state.isStopped = true
      state.ready = [:]
    }
    wait { $0.workers == 0 ? () : nil }
  }

  /// Batch `number`, which must be the one after the last that was taken; nil after the last of all, or when stopped.
  func take(_ number: Int) -> Result<Batch, any Error>? {
    guard number < end, !state.withLock({ $0.isStopped }) else { return nil }
    if state.withLock({ $0.workers == 0 && $0.ready[number] == nil }) {
      // Without workers; with some, the last one ends only when every batch is made.
      return Result { try make(number) }
    }
    let result = wait { $0.ready.removeValue(forKey: number) }
    update { $0.wanted = number + 1 }
    return result
  }

  private func work() {
    while let number = wait({ self.assignment(&$0) }) {
      let result = Result { try make(number) }
      update { if !$0.isStopped { $0.ready[number] = result } }
    }
    update { $0.workers -= 1 }
  }

  /// What a worker does next: wait (nil), make a batch, or go (a nil inside).
  private func assignment(_ state: inout State) -> Int?? {
    if state.isStopped || state.upcoming >= end { return .some(nil) }
    // One is in use, the others are ahead of it.
    guard state.upcoming - state.wanted < prefetch else { return nil }
    state.upcoming += 1
    return state.upcoming - 1
  }

  private func update(_ body: (inout State) -> Void) {
    change.lock()
    state.withLock { body(&$0) }
    change.broadcast()
    change.unlock()
  }

  /// Waits until `body` gives something.
  @discardableResult
  private func wait<Value: Sendable>(_ body: (inout State) -> Value?) -> Value {
    change.lock()
    defer { change.unlock() }
    while true {
      if let value = state.withLock({ body(&$0) }) { return value }
      change.wait()
    }
  }
}
