import Aviary
import Foundation

enum BenchCommand: Command {
  static let name = "bench"
  static let summary = "Measures how fast a model runs or trains here, and how much memory it takes."
  static let operands = "MODEL"
  static let options = [
    Option("weights", "FILE", "weights to use; by default first values from a fixed seed"),
    Option("input", "FILE", "arrays as for run; by default numbers from a fixed seed"), Option.set,
    Option("batch", "N", "pictures or texts per iteration, by default 1"),
    Option(
      "train", nil,
      "measure training steps: forward, backward, SGD with momentum; of language models the loss of each next token, with SGD and clipping where they carry a state, else AdamW; of gatys_vgg19 and gatys_vgg16 steps on a picture"
    ),
    Option(
      "tokens", "N", "with --train of a language model: tokens that are read of each text, by default 64"),
    Option("write", "N", "of a language model: read 64 tokens and write N, always the likeliest"),
    Option("freeze", "STAGES", "with --train: stages that stay as they are, such as block1...block3"),
    Option("branch", "STAGE", "with --head: the last stage to keep"),
    Option(
      "head", "WIDTHS",
      "the widths of a new head's linear layers, of which the first reads all values of the last stage, such as 256,5"
    ),
    Option("learning-rate", "X", "with --train: by default 0.001"),
    Option.eager, Option.precision, Option.exact,
    Option("layers", nil, "show each kernel of the compiled network and its time"),
    Option("repeat", "N", "iterations that are measured, by default 20"), Option.json,
    Option("interactive", nil, "for every line N on stdin run N iterations and print their milliseconds"),
  ]
  static let example = "aviary bench resnet18 --train --batch 16"

  /// What was asked for.
  private struct Setup: Encodable {
    let model: String
    let batch: Int
    let mode: String
    let isExact: Bool
    let frozen: String?
    let head: [Int]?
    let multiplyAdds: Int
    /// Of the training steps before the measurement.
    var losses: [Float]?
  }

  private struct Report: Encodable {
    let setup: Setup
    let iterations: Int
    let medianMilliseconds: Double
    let minimumMilliseconds: Double
    let interquartileMilliseconds: Double
    let imagesPerSecond: Double
    let gigaflops: Double
    let machineGigaflops: Double
    /// Held by tensors at once, at most, since the warm-up.
    let peakTensorBytes: Int
    /// Of the whole process.
    let peakProcessBytes: Int?
  }

  static func run(_ arguments: Arguments) throws {
    let name = try arguments.operands(1)[0]
    let batch = try arguments.integer("batch", default: 1, in: 1...65_536)
    let count = try arguments.integer("repeat", default: 20, in: 1...1_000_000)
    let isTraining = arguments.has("train")
    let head = try headWidths(arguments.string("head"))
    let rate = try arguments.number("learning-rate", default: 1e-3, in: 0...10)
    for option in ["freeze", "learning-rate", "tokens"] where arguments.has(option) && !isTraining {
      throw UsageError("--\(option) makes sense with --train only")
    }
    if arguments.has("branch") && head == nil { throw UsageError("--branch makes sense with --head only") }

    let entry = try Catalogue.selection(name).entry
    let written = arguments.has("write") ? try arguments.integer("write", default: 32, in: 1...512) : nil
    if written != nil { try entry.require(.language) }
    let isStyling = isTraining && entry.task == .stylization
    let isReading = isTraining && entry.task == .language
    if isTraining && !isStyling && !isReading || head != nil || arguments.has("freeze") {
      try entry.require(.classification)
    }
    if arguments.has("tokens") { try entry.require(.language) }
    let sets = try SetOptions(arguments, for: entry)
    let (loaded, inputs) = try withRandomSeed(0) {
      let loaded = try load(entry, arguments, sets, head)
      return (loaded, try self.inputs(sets, batch, loaded, arguments))
    }
    if arguments.has("layers") { return try showLayers(loaded, inputs, arguments) }
    try arguments.withPrecision {
      let workload: Workload
      if isTraining, let classifier = loaded.classifier {
        if let stages = arguments.string("freeze") { try classifier.model.freeze(parsing: stages) }
        workload = Workload.training(classifier, inputs["input"], learningRate: rate)
      } else if let written {
        workload = try Workload.writing(
          loaded, count: written, execution: try arguments.execution(runs: .max))
      } else if isReading {
        workload = try Workload.languageTraining(
          loaded, inputs.tensors[0].cast(to: .int64), learningRate: rate)
      } else if isStyling {
        workload = try Workload.stylization(loaded, inputs)
      } else {
        workload = Workload.inference(
          loaded, inputs, batch: batch, by: try arguments.runner(loaded, runs: .max))
      }
      let warmUp = (0..<3).compactMap { _ in workload.iterate() }
      let setup = Setup(
        model: name, batch: batch, mode: isTraining ? "training" : written == nil ? "inference" : "writing",
        isExact: arguments.has("exact"), frozen: arguments.string("freeze"), head: head,
        multiplyAdds: workload.multiplyAdds, losses: isTraining || written != nil ? warmUp : nil)
      if arguments.has("interactive") { return try serve(workload, setup) }
      let report = measure(workload, setup, count)
      if arguments.has("json") {
        try Console.printJSON(report)
      } else {
        Console.print(text(report, workload.unit))
      }
    }
  }

  /// Where the time of a compiled network goes, kernel by kernel.
  private static func showLayers(
    _ loaded: LoadedNetwork, _ inputs: NamedTensors, _ arguments: Arguments
  ) throws {
    guard !arguments.has("train"), !arguments.has("eager") else {
      throw UsageError("--layers shows the kernels of compiled inference, not of --train or --eager")
    }
    let compiled = loaded.network.compiled(
      algorithms: arguments.has("exact") ? .direct : .measured, precision: try arguments.precision)
    let given = loaded.network.completed(inputs)
    let tensors = loaded.network.signature.inputs.map { given[$0.name] }
    let timings = compiled.graph(for: tensors.map(\.spec)).profile(tensors)
    if arguments.has("json") { return try Console.printJSON(timings) }
    let total = timings.reduce(0) { $0 + $1.milliseconds }
    let rows = timings.map { timing in
      [
        timing.name, timing.implementation, String(format: "%.3f", timing.milliseconds),
        String(format: "%.1f", 100 * timing.milliseconds / total),
      ]
    }
    Console.print(Console.table(["kernel", "implementation", "ms", "%"], rows, right: [2, 3]))
    Console.print(String(format: "%d kernels, %.2f ms", timings.count, total))
  }

  private static func load(
    _ entry: ZooEntry, _ arguments: Arguments, _ sets: SetOptions, _ head: [Int]?
  ) throws -> LoadedNetwork {
    let loaded =
      try arguments.file("weights").map {
        try Zoo.network(
          entry, try WeightFile.open($0), settings: sets.settings, allowing: arguments.allowance)
      } ?? Zoo.untrainedNetwork(entry, settings: sets.settings)
    guard let head, let classifier = loaded.classifier else { return loaded }
    return try classifier.withHead(head, branch: arguments.string("branch"), junction: .flatten).asNetwork
  }

  private static func inputs(
    _ sets: SetOptions, _ batch: Int, _ loaded: LoadedNetwork, _ arguments: Arguments
  ) throws -> NamedTensors {
    guard let path = arguments.string("input") else {
      var inputs = loaded.exampleInputs(batch: batch)
      if arguments.has("train"), let port = loaded.network.signature.inputs.first, let bound = port.bound {
        let count = try arguments.integer("tokens", default: 64, in: 1...65_536) + 1
        let tokens = (0..<batch * count).map { Int64($0 * 131 % bound) }
        inputs[port.name] = Tensor(tokens, shape: [batch, count])
      }
      for (name, tensor) in try sets.tensors(for: loaded, beside: inputs).elements { inputs[name] = tensor }
      try loaded.check(inputs)
      return inputs
    }
    let inputs = try InputArrays.read(path, sets, for: loaded, arguments)
    guard let first = inputs.tensors.first, first.shape.first == batch else {
      throw UsageError(
        "\(path) holds a batch of \(inputs.tensors.first?.shape.first ?? 0), but --batch is \(batch)")
    }
    return inputs
  }

  private static func headWidths(_ text: String?) throws -> [Int]? {
    guard let text else { return nil }
    let widths = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
    guard widths.allSatisfy({ 1...1_000_000 ~= $0 }) else {
      throw UsageError("--head takes widths such as 256,5, not \(text)")
    }
    return widths
  }

  private static func measure(_ workload: Workload, _ setup: Setup, _ count: Int) -> Report {
    CachingAllocator.resetPeak()
    let timings = Timings(workload.milliseconds(count))
    let (tensorPeak, processPeak) = (CachingAllocator.statistics.peak, Machine.peakMemory)
    let seconds = timings.median / 1000
    return Report(
      setup: setup, iterations: count, medianMilliseconds: timings.median,
      minimumMilliseconds: timings.minimum, interquartileMilliseconds: timings.spread,
      imagesPerSecond: Double(workload.batch) / seconds,
      gigaflops: 2 * Double(workload.multiplyAdds) / seconds / 1e9,
      // Measured last: its matrices must not count as the model's memory.
      machineGigaflops: Machine.peakGigaflops(), peakTensorBytes: tensorPeak, peakProcessBytes: processPeak)
  }

  /// Lets another program decide when to measure, so that it can take turns with others: says when it is ready, then answers every line
  /// `N` with a line of N durations, until the input ends.
  private static func serve(_ workload: Workload, _ setup: Setup) throws {
    Console.print("ready " + (try Console.compactJSON(setup)))
    while let line = readLine() {
      guard let count = Int(line.trimmingCharacters(in: .whitespaces)), 1...1_000_000 ~= count else {
        throw UsageError("a line on stdin must be a number of iterations, not '\(line)'")
      }
      Console.print(try Console.compactJSON(workload.milliseconds(count)))
    }
  }

  private static func text(_ report: Report, _ unit: String) -> String {
    func megabytes(_ bytes: Int) -> String { (bytes / 1_000_000).grouped + " MB" }
    let setup = report.setup
    let share = 100 * report.gigaflops / report.machineGigaflops
    let memory = report.peakProcessBytes.map { ", whole process " + megabytes($0) } ?? ""
    let figures = String(
      format: """
        median       %.2f ms of %d iterations
        minimum      %.2f ms, spread %.2f ms between the quartiles
        %@%.1f a second
        arithmetic   %.1f GFLOP/s, %.0f %% of the %.1f that a large matrix product reaches here
        """, report.medianMilliseconds, report.iterations, report.minimumMilliseconds,
      report.interquartileMilliseconds, unit.padding(toLength: 13, withPad: " ", startingAt: 0),
      report.imagesPerSecond, report.gigaflops, share,
      report.machineGigaflops)
    return """
      \(setup.model), \(setup.mode), batch \(setup.batch), \(setup.multiplyAdds.grouped) multiply-adds
      \(figures)
      memory       tensors \(megabytes(report.peakTensorBytes))\(memory)
      """
  }
}
