import Aviary
import Foundation

enum StylizeCommand: Command {
  static let name = "stylize"
  static let summary =
    "Paints pictures in the manner of others. Without --style, a network paints in the one style that it was trained for. Folders, patterns and - (standard input) may be named too; of several pictures, what is written goes to folders, under the pictures' names."
  static let operands = "CONTENT..."
  static let options = [
    Option("model", "NAME", "the network, by default \(defaultModel)"),
    Option.weights,
    Option("output", "FILE", "a .png or .jpg, or a folder"),
    Option("size", "N", "pixels of the longer side; larger pictures are made smaller first"),
    Option.set, Option.exact, Option.eager, Option.precision, Option.json,
  ]
  static let example = "aviary stylize photo.jpg --output painting.png"

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
    let model = arguments.string("model") ?? defaultModel
    try Catalogue.selection(model).entry.require(.stylization)
    let operands = PictureOperands(arguments.operands)
    let pictures = operands.pictures
    guard let outputs = try output(arguments, for: pictures) else {
      throw UsageError("nothing would be written: name a picture or a folder with --output")
    }
    let stylizer = try arguments.model(Stylizer.self, model, runs: pictures.count)
    try arguments.record(operands, name: name) { (record: inout Record, picture, index) in
      let image = try arguments.sized(try picture.image())
      let painted = try stylizer.stylize(image, named: picture.name)
      let path = try outputs.path(index)
      try painted.write(to: path)
      (record.width, record.height, record.output) = (painted.width, painted.height, path)
    }
  }

  static func output(_ arguments: Arguments, for pictures: [PictureOperand]) throws -> PictureOutputs? {
    try PictureOutputs(arguments, "output", for: pictures, endings: ["png", "jpg", "jpeg"])
  }
}

extension Arguments {
  /// The picture with a longer side of at most `--size` pixels.
  func sized(_ image: Image) throws -> Image {
    guard has("size") else { return image }
    return image.fitted(to: try integer("size", default: 0, in: 1...16_384))
  }
}
