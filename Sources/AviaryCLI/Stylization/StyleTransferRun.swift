import Aviary
import Foundation

/// Pictures that are changed step by step to have a style.
struct StyleTransferRun {
  static let options: [Option] = [
    Option("style", "IMAGE", "a picture whose manner is wanted; may be given several times"),
    Option("blend", "X,X", "how much of each style there is, by default all alike"),
    Option("backbone", "vgg19|vgg16|hed", "step by step: the network that looks at pictures"),
    Option("mask", "IMAGE", "step by step: white where a style goes; one for each --style, in order"),
    Option("style-mask", "IMAGE", "step by step: white where a style counts; one for each --style, in order"),
    Option("preview-every", "N", "step by step: write the picture as it is every N steps"),
    Option("losses", "FILE", "step by step: the .csv to write with the losses of each step"),
    Option("checkpoint", "FILE", "step by step: the .safetensors that the run is kept in, to go on with it"),
    Option("checkpoint-every", "N", "write it every N steps, by default 10"),
    Option("resume", nil, "go on with the run that the checkpoint is of, to the same picture bit for bit"),
  ]

  private let transferOptions: StyleTransferOptions
  private let outputs: PictureOutputs
  private let losses: String?
  private let checkpoint: String?
  private let checkpointSteps: Int
  private let previewSteps: Int?
  private let isResuming: Bool

  init(_ arguments: Arguments, _ outputs: PictureOutputs, for pictures: [PictureOperand]) throws {
    transferOptions = try StyleTransferOptions(arguments)
    self.outputs = outputs
    losses = arguments.string("losses")
    checkpoint = arguments.string("checkpoint")
    checkpointSteps = try arguments.integer("checkpoint-every", default: 10, in: 1...1_000_000)
    previewSteps =
      arguments.has("preview-every")
      ? try arguments.integer("preview-every", default: 1, in: 1...1_000_000) : nil
    isResuming = arguments.has("resume")
    for name in ["losses", "checkpoint"] where arguments.has(name) && pictures.count > 1 {
      throw UsageError("--\(name) is for one picture, not for \(pictures.count)")
    }
    if let losses {
      guard PictureOutputs.ending(losses) == "csv" else {
        throw UsageError("--losses takes a file that ends in .csv, not \(losses)")
      }
      try Output.checkWritable(losses, as: nil)
    }
    guard let checkpoint else {
      guard !isResuming else { throw UsageError("--resume needs the --checkpoint to go on with") }
      return
    }
    try Output.checkWritable(checkpoint)
    guard isResuming || !FileManager.default.fileExists(atPath: checkpoint) else {
      throw UsageError(
        "\(checkpoint) is of a run that did not end: --resume goes on with it, and without that file a new one begins"
      )
    }
  }

  /// Styles by `--style`, `--blend` and `--style-mask`.
  static func styles(_ arguments: Arguments) throws -> [Stylizer.Style] {
    let names = arguments.strings("style")
    let weights = try arguments.string("blend").map { text in
      let weights = text.split(separator: ",", omittingEmptySubsequences: false).map { Float($0) ?? -1 }
      guard weights.count == names.count, weights.allSatisfy({ (0...1e6).contains($0) }),
        weights.contains(where: { $0 > 0 })
      else {
        throw UsageError("--blend takes a number from 0 for each of \(names.count) styles, not '\(text)'")
      }
      return weights
    }
    return try names.enumerated().map { index, name in
      Stylizer.Style(try picture(name), weight: weights?[index] ?? 1, named: name)
    }
  }

  private static func picture(_ path: String) throws -> Image {
    let pictures = PictureOperands([path]).pictures
    guard pictures.count == 1 else { throw UsageError("\(path) is not one picture") }
    return try pictures[0].image()
  }

  /// The network that looks at the pictures.
  static func network(_ arguments: Arguments) throws -> LoadedNetwork {
    let backbone =
      arguments.has("backbone")
      ? try arguments.word("backbone", default: StyleTransfer.Backbone.vgg19).model : nil
    guard backbone == nil || !arguments.has("model") else {
      throw UsageError("--backbone and --model both name the network")
    }
    let model = arguments.string("model") ?? backbone
    let entry = try Catalogue.selection(model ?? StyleTransfer.Backbone.vgg19.model).entry
    let sets = try SetOptions(arguments, for: entry)
    try sets.requireSettings(entry)
    // Means look smoother than maxima, as the paper says.
    let pooling = arguments.string("pooling") ?? "average"
    guard ["max", "average"].contains(pooling) else {
      throw UsageError("--pooling takes max or average, not '\(pooling)'")
    }
    let settings = sets.settings.merging(["pooling": .string(pooling)]) { given, _ in given }
    return try StyleTransfer.network(
      model, weights: try arguments.file("weights"), settings: settings, allowing: arguments.allowance)
  }

  /// Masks by an option, none or one for each style.
  static func masks(_ option: String, _ arguments: Arguments, for styles: [Stylizer.Style]) throws -> [Image]
  {
    let masks = arguments.strings(option)
    guard [0, styles.count].contains(masks.count) else {
      throw UsageError("--\(option) was given \(masks.count) times for \(styles.count) styles")
    }
    return try masks.map(picture)
  }

  /// Changes one picture and writes it; gives the result and where it is.
  func callAsFunction(
    _ content: Image, _ index: Int, _ network: LoadedNetwork, styles: [Stylizer.Style], masks: [Image],
    styleMasks: [Image]
  ) throws -> (image: Image, path: String) {
    let path = try outputs.path(index)
    let transfer = try StyleTransfer(
      network, content: content, styles: styles, masks: masks, styleMasks: styleMasks,
      options: transferOptions)
    if isResuming, let checkpoint {
      if FileManager.default.fileExists(atPath: checkpoint) {
        try transfer.restore(from: checkpoint)
      } else {
        Console.printError("there is no checkpoint \(checkpoint): the run begins anew")
      }
    }
    let bar = ProgressBar()
    while !transfer.isDone {
      let losses = try transfer.step()
      let done = transfer.losses.count
      bar.update(
        "\(losses.size) pixels", done: done, total: transfer.stepCount,
        note: String(format: "content %.3f, style %.3f", losses.content, losses.style))
      if let previewSteps, done % previewSteps == 0 { try transfer.picture().write(to: path) }
      if let checkpoint, done % checkpointSteps == 0, !transfer.isDone { try transfer.save(to: checkpoint) }
    }
    bar.finish()
    let image = try transfer.picture()
    try image.write(to: path)
    if let losses { try Self.write(transfer.losses, to: losses) }
    if let checkpoint, FileManager.default.fileExists(atPath: checkpoint) {
      try FileManager.default.removeItem(atPath: checkpoint)
    }
    return (image, path)
  }

  private static func write(_ losses: [StyleTransfer.Losses], to path: String) throws {
    let rows = losses.map { "\($0.size),\($0.step),\($0.content),\($0.style),\($0.variation),\($0.total)" }
    let text = (["size,step,content,style,variation,total"] + rows).joined(separator: "\n") + "\n"
    try Data(text.utf8).write(to: URL(filePath: path), options: .atomic)
  }
}
