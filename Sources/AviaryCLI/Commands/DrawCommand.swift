import Aviary
import Foundation

enum DrawCommand: Command {
  static let name = "draw"
  static let summary =
    "Draws labelled pictures to try things on, one sub-folder per class: digits or shapes of 28×28, or coloured scenes of any size. Scenes of several objects come with boxes, masks and captions in COCO's format."
  static let operands = "digits|shapes|scenes FOLDER"
  static let options = [
    Option("count", "N", "pictures per class, or scenes of several objects; by default 50"),
    Option("seed", "N", "by default 0"),
    Option(
      "objects", "N",
      "scenes of up to N objects in FOLDER/pictures, with FOLDER/instances.json, FOLDER/captions.json and the classes of pixels in FOLDER/masks"
    ),
    Option("size", "N", "height and width of scenes, by default 64"),
    Option(
      "shapes", "LIST",
      "of scenes, with commas; by default all: \(SceneShape.allCases.map(\.rawValue).joined(separator: ","))"),
  ]
  static let example = "aviary draw shapes shapes --count 60"

  static func run(_ arguments: Arguments) throws {
    let operands = try arguments.operands(2)
    let count = try arguments.integer("count", default: 50, in: 1...100_000)
    let seed = UInt64(try arguments.integer("seed", default: 0, in: 0...Int.max))
    if operands[0] == "scenes" { return try drawScenes(in: operands[1], count, seed, arguments) }
    guard let sketch = Sketch(rawValue: operands[0]) else {
      throw UsageError("there are digits, shapes and scenes to draw, not \(operands[0])")
    }
    for option in ["size", "shapes", "objects"] where arguments.has(option) {
      throw UsageError("--\(option) is for scenes: \(operands[0]) have 28×28 pixels")
    }
    let generator = RandomGenerator(seed: seed)
    for (label, name) in sketch.classNames.enumerated() {
      let folder = try made("\(operands[1])/\(name)")
      for index in 0..<count {
        try sketch.draw(label, using: generator).write(to: "\(folder)/\(name)-\(index).png")
      }
    }
    Console.print("\(operands[1]): \(sketch.classNames.count) classes of \(count) pictures")
  }

  /// One object in each picture, in the folder of its shape.
  private static func drawScenes(
    in folder: String, _ count: Int, _ seed: UInt64, _ arguments: Arguments
  ) throws {
    let side = try arguments.integer("size", default: 64, in: 8...4096)
    var generator =
      arguments.has("objects")
      ? SceneGenerator(width: side, height: side) : SceneGenerator.singles(width: side, height: side)
    if let text = arguments.string("shapes") {
      generator.shapes = try text.split(separator: ",").map { name in
        guard let shape = SceneShape(rawValue: String(name)) else {
          throw UsageError(
            "there is no shape \(name); there are \(SceneShape.allCases.map(\.rawValue).joined(separator: ", "))"
          )
        }
        return shape
      }
      guard !generator.shapes.isEmpty else { throw UsageError("--shapes names none") }
    }
    if arguments.has("objects") {
      generator.objectCount = 0...(try arguments.integer("objects", default: 5, in: 1...100))
      return try draw(generator, in: folder, count, seed)
    }
    let names = generator.classNames
    let folders = try names.map { try made("\(folder)/\($0)") }
    var missing = names.map { _ in count }
    let bar = ProgressBar()
    var index = 0
    while missing.contains(where: { $0 > 0 }) {
      defer { index += 1 }
      guard let label = generator.label(index, seed: seed), missing[label] > 0 else { continue }
      let name = "\(names[label])-\(count - missing[label]).png"
      try generator.picture(index, seed: seed).image.write(to: "\(folders[label])/\(name)")
      missing[label] -= 1
      let total = count * names.count
      bar.update("draw", done: total - missing.reduce(0, +), total: total)
    }
    bar.finish()
    Console.print("\(folder): \(names.count) classes of \(count) pictures")
  }

  /// Several objects in each picture, or none, and all that is known of them.
  private static func draw(
    _ generator: SceneGenerator, in folder: String, _ count: Int, _ seed: UInt64
  ) throws {
    let (pictures, masks) = (try made("\(folder)/pictures"), try made("\(folder)/masks"))
    var writer = COCOWriter(classNames: generator.classNames)
    let bar = ProgressBar()
    var objects = 0
    for index in 0..<count {
      let scene = generator.picture(index, seed: seed)
      let file = "\(index).png"
      try scene.image.write(to: "\(pictures)/\(file)")
      try scene.labelMap?.picture.write(to: "\(masks)/\(file)")
      writer.add(scene, file: file)
      objects += scene.instances.count
      bar.update("draw", done: index + 1, total: count)
    }
    bar.finish()
    try writer.write(instances: "\(folder)/instances.json", captions: "\(folder)/captions.json")
    Console.print(
      "\(folder): \(count) pictures with \(objects) objects of \(generator.classNames.count) classes")
  }

  /// The folder, made where there is none.
  private static func made(_ folder: String) throws -> String {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    return folder
  }
}
