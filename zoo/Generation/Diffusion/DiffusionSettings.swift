import AviaryWeights

/// What the settings of a task say of diffusion.
struct DiffusionSettings {
  /// The noise of training, diffusers' defaults where nothing is said.
  var scheduler: SchedulerConfiguration
  /// As the pipeline of the scheduler that wrote the settings samples.
  let sampling: Sampling
  /// The class that stands for pictures of any; nil where there is none.
  let nullClass: Int?
  /// Towards classes, where nothing else is asked for.
  let guidance: Float

  /// Whether the usual sampler needs no variance.
  var isDeterministic: Bool { if case .ddim = sampling { true } else { false } }

  static let schedulerKey = "scheduler"

  /// Throws ``ConfigurationError`` for what is no scheduler's configuration, no class and no number.
  init(_ settings: Settings?) throws {
    let value = settings?[Self.schedulerKey] ?? .object([:])
    guard case .object(let written) = value else {
      throw ConfigurationError(
        entry: Self.schedulerKey, given: value.shortText,
        expected: "an object of the entries of scheduler_config.json")
    }
    scheduler = try value.decoded(as: SchedulerConfiguration.self)
    var entries = ConfigurationEntries(settings ?? [:])
    nullClass = try entries.optionalIndex("null_class")
    guidance = Float(try entries.number("guidance", -1000...1000, missing: 1))
    let steps = try entries.optionalInteger("steps", missing: nil)
    let all = scheduler.schedule.steps
    if let steps, steps > all {
      throw ConfigurationError(entry: "steps", given: "\(steps)", expected: "at most \(all)")
    }
    sampling =
      written["_class_name"] == .string("DDIMScheduler")
      ? .ddim(steps: steps ?? min(50, all)) : .ddpm(steps: steps)
  }
}

extension DiffusionSettings {
  /// diffusers writes the schedule into a file of its own, beside the weights or, in a pipeline's folder, beside the network's.
  ///
  /// - Parameter told: what is taken where there is none, as a sentence.
  static func scheduleFile(missing told: String?) -> CompanionFile {
    CompanionFile(
      places: ["scheduler_config.json", "../scheduler/scheduler_config.json"], missing: { _ in told },
      read: { path, metadata in
        let entries = try ConfigurationFile(path).settings { entries in
          // Read for its errors, which name the file then.
          _ = try JSONValue.object(entries).decoded(as: SchedulerConfiguration.self)
          return entries
        }
        // How many steps are usual belongs to the schedule that was there before.
        var settings = metadata.taskSettings ?? [:]
        settings["steps"] = nil
        settings[schedulerKey] = .object(entries)
        metadata.taskSettings = settings
      })
  }
}
