import CThreads

/// oneDNN's kernels on the package's team of threads, in place of an OpenMP runtime.
enum OpenMP {
  /// Makes or runs a kernel: its work has at most this number of parts. With more parts than there are threads, they must not wait
  /// for each other.
  static func withParts<Result>(_ count: Int, _ body: () throws -> Result) rethrows -> Result {
    _ = installation
    let place = ThreadPlace.current
    let before = place.pointee.kernel_parts
    place.pointee.kernel_parts = Int32(count)
    defer { place.pointee.kernel_parts = before }
    return try body()
  }

  private static let installation: Void = use_parallel_runtime(
    ParallelRuntime(
      run: { parts, body, data in
        let team = ThreadTeam.shared
        let waitsInside = ThreadPlace.current.pointee.kernel_parts <= team.threadCount
        team.run(Int(parts), waitsInside: waitsInside, data, body!)
      },
      meet: { parts in ThreadTeam.shared.meet(Int(parts)) }))
}

extension ThreadPlace {
  /// The calling thread's own.
  static var current: UnsafeMutablePointer<ThreadPlace> { current_thread_place() }

  /// Whether the thread runs a part of a job.
  var isInsideJob: Bool { parts > 0 }
}
