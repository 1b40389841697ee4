import CThreads

/// Loops on the threads that oneDNN's kernels run on, so that no second pool competes for the cores.
public enum Parallel {
  /// The number of threads that loops and kernels use: `OMP_NUM_THREADS`, or as many as there are cores.
  public static var threadCount: Int { ThreadTeam.shared.threadCount }

  /// Binds the calling thread, which should be the one that runs networks, to its core and the others to one each, where there is a core
  /// for each.
  ///
  /// For programs that do little else. Beside other busy programs it keeps two of the threads from sharing a core while the programs
  /// share another one.
  public static func bindToCores() { ThreadTeam.shared.bindToCores() }

  private struct Loop {
    let count: Int
    let body: (Range<Int>) -> Void
  }

  /// Calls `body` on ranges that together cover `0..<count`. Each range holds at least `grain` iterations (except when there are fewer),
  /// so that small loops stay on the calling thread.
  @inline(__always)
  package static func forEachRange(_ count: Int, grain: Int = 1, _ body: (Range<Int>) -> Void) {
    guard count > 0 else { return }
    let parts = min(ThreadTeam.shared.partCount, max(1, count / max(grain, 1)))
    if parts == 1 { return body(0..<count) }
    share(count, in: parts, body)
  }

  @inline(never)
  private static func share(_ count: Int, in parts: Int, _ body: (Range<Int>) -> Void) {
    if ThreadPlace.current.pointee.isInsideJob { return body(0..<count) }
    withoutActuallyEscaping(body) { body in
      var loop = Loop(count: count, body: body)
      withUnsafeMutablePointer(to: &loop) { pointer in
        ThreadTeam.shared.run(parts, pointer) { data in
          let loop = data!.assumingMemoryBound(to: Loop.self)
          let place = ThreadPlace.current.pointee
          let (part, parts) = (Int(place.part), Int(place.parts))
          loop.pointee.body(part * loop.pointee.count / parts..<(part + 1) * loop.pointee.count / parts)
        }
      }
    }
  }
}
