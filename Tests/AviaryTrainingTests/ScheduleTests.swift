import AviaryTraining
import Foundation
import Testing

@Suite("Schedules")
struct ScheduleTests {
  private static let expected = Result {
    let url = Bundle.module.bundleURL.appending(
      path: "Fixtures/schedules.json", directoryHint: .notDirectory)
    return try JSONDecoder().decode([String: [Double?]].self, from: Data(contentsOf: url))
  }

  /// Those of `tools/reference/schedule_fixtures.py`, in a run of 40 steps, 10 an epoch.
  private static let schedules: [(String, Schedule)] = [
    ("step", .step(every: .steps(7), factor: 0.5)),
    ("multi-step", .multiStep(at: [.steps(4), .epochs(1), .share(0.75)], factor: 0.3)),
    ("exponential", .exponential(factor: 0.93)),
    ("cosine", .cosine),
    ("cosine to 0.1", .cosine(minimum: 0.1)),
    ("cosine with restarts", .cosineRestarts(first: .steps(9))),
    ("cosine with longer restarts", .cosineRestarts(first: .epochs(0.5), multiplier: 2, minimum: 0.05)),
    ("linear", .linear(from: 0.25, to: 0.75, over: .steps(17))),
    ("linear to 0", .linear()),
    ("polynomial", .polynomial(power: 0.9, over: .epochs(3))),
    ("polynomial squared", .polynomial(power: 2)),
    ("one cycle", .oneCycle()),
    ("one linear cycle", .oneCycle(rise: 0.45, divisor: 10, finalDivisor: 100, isLinear: true)),
    ("one cycle in three phases", .oneCycle(rise: 0.4, hasThreePhases: true)),
    ("one linear cycle in three phases", .oneCycle(isLinear: true, hasThreePhases: true)),
    ("warm-up and cosine", .warmup(.share(0.2), from: 0.1, then: .cosine)),
    (
      "sequence",
      .sequence(
        [(.linear(from: 0.2, to: 1), .steps(6)), (.constant, .steps(9))],
        then: .step(every: .steps(5), factor: 0.5))
    ),
  ]

  @Test("every step is torch's", arguments: schedules)
  func matches(name: String, schedule: Schedule) throws {
    let expected = try #require(try Self.expected.get()[name])
    let run = Schedule.Run(steps: 40, epochs: 4)
    #expect(expected.count == 40)
    for (step, rate) in expected.enumerated() {
      let (actual, wanted) = (Double(schedule.factor(at: step, of: run)), try #require(rate))
      #expect(abs(actual - wanted) <= 1e-6, "step \(step): \(actual), expected \(wanted)")
    }
  }

  @Test("a schedule survives being written down", arguments: schedules)
  func codable(name: String, schedule: Schedule) throws {
    let data = try JSONEncoder().encode(schedule)
    #expect(try JSONDecoder().decode(Schedule.self, from: data) == schedule)
  }

  @Test(
    "by progress it is what it is by steps",
    arguments: [Schedule.cosine, .step(every: .epochs(2), factor: 0.1)])
  func progress(schedule: Schedule) {
    for epochs in [3, 7, 10] {
      let run = Schedule.Run(steps: 100 * epochs, epochs: epochs)
      for step in 0..<100 * epochs {
        let progress = (Float(step / 100) + Float(step % 100) / 100) / Float(epochs)
        let difference =
          schedule.factor(progress: progress, epochs: epochs) - schedule.factor(at: step, of: run)
        #expect(abs(difference) < 1e-4, "step \(step) of \(epochs) epochs")
      }
    }
  }

  @Test("schedules begin at 1 and fall as they say")
  func milestones() {
    #expect(Schedule.constant.factor(progress: 0.7, epochs: 10) == 1)
    let steps = Schedule.step(every: .epochs(2), factor: 0.1)
    #expect(steps.factor(progress: 0.19, epochs: 10) == 1)
    #expect(abs(steps.factor(progress: 0.45, epochs: 10) - 0.01) < 1e-6)
    #expect(Schedule.cosine.factor(progress: 0, epochs: 10) == 1)
    #expect(abs(Schedule.cosine.factor(progress: 1, epochs: 10)) < 1e-6)
    let warm = Schedule.warmup(.share(0.1), then: .cosine)
    #expect(abs(warm.factor(progress: 0.05, epochs: 10) - 0.5) < 1e-6)
    #expect(warm.factor(progress: 0.1, epochs: 10) == 1)
  }

  @Test("short runs, and steps beyond the end, have finite factors", arguments: schedules)
  func edges(name: String, schedule: Schedule) {
    for steps in 0...5 {
      for step in 0...steps + 2 {
        let factor = schedule.factor(at: step, of: Schedule.Run(steps: steps, epochs: 1))
        #expect(factor.isFinite && factor >= 0, "step \(step) of \(steps)")
      }
    }
  }

  @Test("plateaus are torch's, and go on where they were written down")
  func plateaus() throws {
    let expected = try Self.expected.get()
    let results = try #require(expected["results"]).map { $0 ?? .nan }
    let plateaus: [(String, Plateau)] = [
      ("plateau", Plateau(reduction: 0.5, patience: 2)),
      (
        "plateau with cooldown", Plateau(patience: 1, threshold: .absolute(0.05), cooldown: 2, minimum: 0.005)
      ),
      (
        "plateau of a rising metric",
        Plateau(.higher, reduction: 0.5, patience: 3, threshold: .relative(0.01))
      ),
    ]
    for (name, start) in plateaus {
      var plateau = start
      for (index, wanted) in try #require(expected[name]).enumerated() {
        let factor = plateau.observe(results[index])
        #expect(abs(factor - (try #require(wanted))) < 1e-8, "\(name), result \(index)")
        plateau = try JSONDecoder().decode(Plateau.self, from: JSONEncoder().encode(plateau))
      }
    }
  }
}
