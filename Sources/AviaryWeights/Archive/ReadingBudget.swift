import AviaryTensors
import Synchronization

/// What reading one file of weights may cost: time, memory of the reader's own, and bytes of tensors.
///
/// Formats let a few bytes stand for much: deflate makes a thousandth of zeros, pickles and HDF5 files refer to one part from a thousand
/// places. Each limit grows with the file and has a floor that every small file of weights stays far below, so that a file that was made
/// to take all memory or many minutes is refused after a second. One budget belongs to one file, whatever lies inside: an archive within
/// an archive spends the same.
final class ReadingBudget: Sendable {
  /// Bytes of the file.
  private let fileBytes: Int
  private let steps = Atomic(0)
  private let kept = Atomic(0)
  private let unpacked = Atomic(0)

  init(fileBytes: Int) { self.fileBytes = fileBytes }

  /// A step takes a tenth of a microsecond or less. No byte of a file is worth more than one.
  private var maximumSteps: Int { max(12 << 20, fileBytes) }
  /// Values that describe tensors take more memory than file, but most of a file is the tensors themselves.
  private var maximumKept: Int { max(128 << 20, 8.times(fileBytes)) }
  /// Weights hardly compress at all, and few tensors share elements.
  private var maximumUnpacked: Int { max(112 << 20, 32.times(fileBytes)) }

  /// Counts steps of work; throws ``WeightsError`` of kind `refused` when there were more than any weights of this size need.
  func spend(steps count: Int) throws {
    guard Self.add(count, to: steps) <= maximumSteps else {
      throw WeightsError(
        .refused,
        "reading \(fileBytes) bytes takes more than \(maximumSteps) steps, as no weights do: their parts are repeated, or lead to each other, without end"
      )
    }
  }

  /// Counts memory that a reader needs for what it has found: values, names, places.
  func keep(bytes count: Int) throws {
    guard Self.add(count, to: kept) <= maximumKept else {
      throw WeightsError(
        .refused,
        "what \(fileBytes) bytes describe takes more than \(maximumKept) bytes of memory, as no weights do")
    }
  }

  /// Counts bytes that come out of a compressed part, or of a tensor.
  func unpack(bytes count: Int) throws {
    let total = Self.add(count, to: unpacked)
    guard total <= maximumUnpacked else {
      throw WeightsError(
        .refused, "\(fileBytes) bytes unpack to \(total) or more, as no weights do: a compression bomb")
    }
  }

  /// The sum so far. What a file claims is clamped: sums must not overflow.
  private static func add(_ count: Int, to total: borrowing Atomic<Int>) -> Int {
    total.add(min(count, 1 << 40), ordering: .relaxed).newValue
  }
}

extension Int {
  /// The product, or the largest number there is.
  fileprivate func times(_ other: Int) -> Int {
    let (product, overflow) = multipliedReportingOverflow(by: other)
    return overflow ? .max : product
  }
}
