import COneDNN
import Foundation

/// The CPU engine and stream that every primitive runs on.
enum OneDNN {
  static let engine: Unchecked<dnnl_engine_t> = {
    var engine: dnnl_engine_t?
    check(dnnl_engine_create(&engine, dnnl_cpu, 0), "the CPU engine")
    return Unchecked(engine!)
  }()

  static let stream: Unchecked<dnnl_stream_t> = {
    var stream: dnnl_stream_t?
    check(dnnl_stream_create(&stream, engine.value, UInt32(dnnl_stream_in_order.rawValue)), "the CPU stream")
    return Unchecked(stream!)
  }()

  /// Shapes were checked by the op's own rule before; a failure here is a bug in this package.
  static func check(_ status: dnnl_status_t, _ what: @autoclosure () -> String) {
    require(status == dnnl_success, "oneDNN status \(status.rawValue) for \(what())")
  }

  /// What measured times hold for: library version, instruction set, threads, and the algorithms that were there to choose from.
  static var machine: String {
    let version = dnnl_version().pointee
    return
      "algorithms 3, oneDNN \(version.major).\(version.minor).\(version.patch), isa \(dnnl_get_effective_cpu_isa().rawValue), "
      + "\(Parallel.threadCount) threads, \(processorName)"
  }

  /// Whether kernels use vectors of 16 floats here. `DNNL_MAX_CPU_ISA`, which oneDNN reads, can forbid it; our own loops keep to that too.
  static let usesAVX512: Bool = {
    let needed = dnnl_cpu_isa_avx512_core.rawValue
    return dnnl_get_effective_cpu_isa().rawValue & needed == needed
  }()

  private static let processorName: String = {
    let text =
      FileManager.default.contents(atPath: "/proc/cpuinfo").map { String(decoding: $0, as: UTF8.self) } ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
    return line?.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) }
      ?? "unknown processor"
  }()
}
