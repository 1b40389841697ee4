import Aviary
import Foundation

enum StylizeCommand: Command {
  static let name = "stylize"
  static let summary =
    "Paints pictures in the manner of others: step by step (Gatys et al.), or in one pass of a network. Without --style, a network paints in the one style that it was trained for. Folders, patterns and - (standard input) may be named too; of several pictures, what is written goes to folders, under the pictures' names."
  static let operands = "CONTENT..."
  static let options =
    [
      Option("output", "FILE", "a .png or .jpg, or a folder"),
      Option(
        "model", "NAME",
        "the network: with --style by default gatys_vgg19, step by step; without, by default \(defaultModel)"),
      Option.weights,
      Option(
        "size", "N",
        "pixels of the longer side, larger pictures being made smaller; by default \(StyleTransferOptions().size) step by step, and as many as there are in one pass"
      ),
      Option("alpha", "X", "in one pass: how much of the styles there is, from 0 to 1, by default 1"),
    ] + StyleTransferRun.options + StyleTransferOptions.options + [
      Option.set, Option.exact, Option.eager, Option.precision, Option.json,
    ]
  static let example = "aviary stylize photo.jpg --style painting.jpg --output result.png"

  /// What comes with the zoo.
  static let defaultModel = "fast_style"

  struct Record: PictureRecord {
    let image: String
    var width: Int?
    var height: Int?
    var output: String?
    var error: String?

    init(image: String) { self.image = image }

    func show() { Console.print("\(image.onOneLine): \(output!.onOneLine), \(width!)×\(height!) pixels") }
  }

  static func run(_ arguments: Arguments) throws {
    guard !arguments.operands.isEmpty else {
      throw UsageError("no picture is named; usage: aviary \(name) \(operands)")
    }
    let operands = PictureOperands(arguments.operands)
    guard
      let outputs = try PictureOutputs(
        arguments, "output", for: operands.pictures, endings: ["png", "jpg", "jpeg"])
    else { throw UsageError("nothing would be written: name a picture or a folder with --output") }
    try requireWritable(outputs, operands.pictures)
    let model = try arguments.string("model").map { try Catalogue.selection($0).entry }
    try model?.require(.stylization)
    if arguments.has("style"), model.map({ StyleTransfer.models.contains($0.name) }) ?? true {
      try transfer(arguments, operands, outputs)
    } else {
      try onePass(arguments, operands, outputs, model?.name ?? defaultModel)
    }
  }

  /// A single file's folder has to be there before work begins.
  private static func requireWritable(_ outputs: PictureOutputs, _ pictures: [PictureOperand]) throws {
    if pictures.count == 1 { try Output.checkWritable(try outputs.path(0), as: nil) }
  }

  private static func onePass(
    _ arguments: Arguments, _ operands: PictureOperands, _ outputs: PictureOutputs, _ model: String
  ) throws {
    try requireNone(
      of: StyleTransferRun.options.dropFirst(2) + StyleTransferOptions.options, arguments, "in one pass")
    let alpha = try arguments.number("alpha", default: 1, in: 0...1)
    let styles = try StyleTransferRun.styles(arguments)
    let stylizer = try arguments.model(
      Stylizer.self, arguments.string("model") ?? model, runs: operands.pictures.count)
    guard stylizer.takesStyles != styles.isEmpty else {
      throw UsageError(
        stylizer.takesStyles
          ? "\(model) paints in the manner of a picture: name one with --style"
          : "\(model) has one style of its own: it takes no --style")
    }
    try arguments.record(operands, name: name) { (record: inout Record, picture, index) in
      let image = try arguments.sized(try picture.image())
      let painted = try stylizer.stylize(image, named: picture.name, styles: styles, alpha: alpha)
      let path = try outputs.path(index)
      try painted.write(to: path)
      (record.width, record.height, record.output) = (painted.width, painted.height, path)
    }
  }

  private static func transfer(
    _ arguments: Arguments, _ operands: PictureOperands, _ outputs: PictureOutputs
  ) throws {
    try requireNone(
      of: options.filter { ["alpha", "eager", "precision"].contains($0.name) }, arguments, "step by step")
    let run = try StyleTransferRun(arguments, outputs, for: operands.pictures)
    let styles = try StyleTransferRun.styles(arguments)
    let masks = try StyleTransferRun.masks("mask", arguments, for: styles)
    let styleMasks = try StyleTransferRun.masks("style-mask", arguments, for: styles)
    let network = try StyleTransferRun.network(arguments)
    network.tellChanges()
    try arguments.record(operands, name: name) { (record: inout Record, picture, index) in
      let content = try picture.image()
      let (image, path) = try arguments.withPrecision {
        try run(content, index, network, styles: styles, masks: masks, styleMasks: styleMasks)
      }
      (record.width, record.height, record.output) = (image.width, image.height, path)
    }
  }

  private static func requireNone(of options: [Option], _ arguments: Arguments, _ way: String) throws {
    guard let option = options.first(where: { arguments.has($0.name) }) else { return }
    throw UsageError("--\(option.name) is of no use where a network paints \(way)")
  }
}

extension Arguments {
  /// The picture with a longer side of at most `--size` pixels.
  func sized(_ image: Image) throws -> Image {
    guard has("size") else { return image }
    return image.fitted(to: try integer("size", default: 0, in: 1...16_384))
  }
}
