import COneDNN

/// Loops on the threads of the OpenMP runtime that oneDNN uses, so that no second pool competes for the cores.
package enum Parallel {
  /// The number of threads a parallel loop may use.
  package static var threadCount: Int { Int(omp_get_max_threads()) }

  /// Whether there is a thread for each core that this process may use.
  package static var usesAllCores: Bool { omp_get_max_threads() == omp_get_num_procs() }

  /// Runs `body` with this number of threads for every loop and kernel that it starts or makes.
  static func withThreads<Result>(_ count: Int, _ body: () throws -> Result) rethrows -> Result {
    let before = threadCount
    guard count != before else { return try body() }
    omp_set_num_threads(Int32(count))
    defer { omp_set_num_threads(Int32(before)) }
    return try body()
  }

  private struct Job {
    let count: Int
    let chunk: Int
    let body: (Range<Int>) -> Void
  }

  /// Calls `body` on ranges that together cover `0..<count`, one range per thread. Each range holds at least
  /// `grain` iterations (except when there are fewer), so that small loops stay on the calling thread.
  @inline(__always)
  package static func forEachRange(_ count: Int, grain: Int = 1, _ body: (Range<Int>) -> Void) {
    guard count > 0 else { return }
    let pieces = min(threadCount, max(1, count / max(grain, 1)))
    if pieces == 1 { return body(0..<count) }
    split(count, into: pieces, body)
  }

  @inline(never)
  private static func split(_ count: Int, into pieces: Int, _ body: (Range<Int>) -> Void) {
    withoutActuallyEscaping(body) { body in
      var job = Job(count: count, chunk: (count + pieces - 1) / pieces, body: body)
      withUnsafeMutablePointer(to: &job) { pointer in
        GOMP_parallel(
          { data in
            let job = data!.assumingMemoryBound(to: Job.self).pointee
            // The runtime may start fewer threads than asked for: each takes every n-th piece.
            let step = Int(omp_get_num_threads()) * job.chunk
            for start in stride(from: Int(omp_get_thread_num()) * job.chunk, to: job.count, by: step) {
              job.body(start..<min(start + job.chunk, job.count))
            }
          }, pointer, UInt32(pieces), 0)
      }
    }
  }
}
