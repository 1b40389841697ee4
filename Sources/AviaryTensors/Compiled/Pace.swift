/// Decides from the times of past runs whether a network runs on all threads or, because another program holds one of the cores, on one
/// thread less.
///
/// It stays with one way until the other was faster in a trial of a few runs. On one thread less, trials show that the core is free again;
/// on all, they are made only while runs take much longer than they did at best, and less and less often when they are in vain.
struct Pace {
  /// Whether runs go on one thread less, trials aside.
  private var isNarrow = false
  private var isOnTrial = false
  /// Milliseconds of the latest runs, and of those of a trial.
  private var recentTimes: [Double] = []
  private var trialTimes: [Double] = []
  /// The shortest run on all threads.
  private var best = Double.infinity
  private var pause = Self.shortestPause
  private var runsUntilTrial = Self.shortestPause

  private static let remembered = 5
  private static let trialRuns = 3
  private static let shortestPause = 8
  private static let slowness = 1.4
  /// Milliseconds below which nothing is tried: such times say little, and there is little to gain.
  private static let shortestRun = 1.0

  /// Whether the next run goes on one thread less.
  var runsNarrow: Bool { isNarrow != isOnTrial }

  /// To be told how many milliseconds the run took that went as ``runsNarrow`` said.
  mutating func record(_ milliseconds: Double) {
    if !runsNarrow { best = min(best, milliseconds) }
    guard !isOnTrial else {
      trialTimes.append(milliseconds)
      let isHopeless = milliseconds > Self.slowness * Self.median(recentTimes)
      if trialTimes.count == Self.trialRuns || isHopeless { endTrial(mayWin: !isHopeless) }
      return
    }
    if recentTimes.count == Self.remembered { recentTimes.removeFirst() }
    recentTimes.append(milliseconds)
    runsUntilTrial -= 1
    let isWorthTrying = isNarrow || Self.median(recentTimes) > Self.slowness * best
    isOnTrial = runsUntilTrial <= 0 && best >= Self.shortestRun && isWorthTrying
  }

  private mutating func endTrial(mayWin: Bool) {
    isOnTrial = false
    if mayWin, Self.median(trialTimes) < Self.median(recentTimes) {
      isNarrow.toggle()
      recentTimes = trialTimes
      pause = Self.shortestPause
    } else {
      // To find a free core soon is worth more than the few slow runs.
      pause = min(2 * pause, isNarrow ? 64 : 256)
    }
    runsUntilTrial = pause
    trialTimes.removeAll(keepingCapacity: true)
  }

  private static func median(_ times: [Double]) -> Double { times.sorted()[times.count / 2] }
}
