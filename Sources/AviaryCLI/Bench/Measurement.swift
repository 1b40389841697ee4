import Aviary
import AviaryTensors
import Foundation

/// Durations of iterations, in milliseconds.
struct Timings {
  private let sorted: [Double]

  init(_ milliseconds: [Double]) {
    require(!milliseconds.isEmpty, "statistics of no measurements")
    sorted = milliseconds.sorted()
  }

  var minimum: Double { sorted[0] }
  var median: Double { quantile(0.5) }
  /// The distance between the quartiles.
  var spread: Double { quantile(0.75) - quantile(0.25) }

  /// Between two measurements in proportion, as NumPy does it by default.
  private func quantile(_ share: Double) -> Double {
    let position = share * Double(sorted.count - 1)
    let low = Int(position)
    let high = min(low + 1, sorted.count - 1)
    return sorted[low] + (sorted[high] - sorted[low]) * (position - Double(low))
  }
}

extension Workload {
  /// The duration of each of `count` iterations in milliseconds.
  func milliseconds(_ count: Int) -> [Double] {
    let clock = ContinuousClock()
    return (0..<count).map { _ in clock.measure { _ = iterate() } / .milliseconds(1) }
  }
}

/// What the machine can do, and what this process has taken of it.
enum Machine {
  /// 10⁹ float32 operations a second in a large matrix product, the best of several: what other figures are compared with.
  static func peakGigaflops() -> Double {
    let side = 2048
    let (a, b) = (Tensor.uniform([side, side]), Tensor.uniform([side, side]))
    _ = a.matmul(b)
    let clock = ContinuousClock()
    let seconds = (0..<5).map { _ in clock.measure { _ = a.matmul(b) } / .seconds(1) }
    return 2 * pow(Double(side), 3) / seconds.min()! / 1e9
  }

  /// The most memory this process ever had in use, in bytes; nil where the system does not tell.
  ///
  /// `getrusage` would not do: on Linux its figure starts at what the parent had when it started this program.
  static var peakMemory: Int? {
    guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
      let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
      let kibibytes = line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({ Int($0) })
    else { return nil }
    return kibibytes * 1024
  }
}
