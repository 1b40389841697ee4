import Aviary
import Foundation

enum DrawCommand: Command {
  static let name = "draw"
  static let summary =
    "Draws labelled 28×28 pictures to try things on, one sub-folder per class: digits, or shapes."
  static let operands = "digits|shapes FOLDER"
  static let options = [
    Option("count", "N", "pictures per class, by default 50"), Option("seed", "N", "by default 0"),
  ]
  static let example = "aviary draw shapes shapes --count 60"

  static func run(_ arguments: Arguments) throws {
    let operands = try arguments.operands(2)
    guard let sketch = Sketch(rawValue: operands[0]) else {
      throw UsageError("there are digits and shapes to draw, not \(operands[0])")
    }
    let count = try arguments.integer("count", default: 50, in: 1...100_000)
    let generator = RandomGenerator(seed: UInt64(try arguments.integer("seed", default: 0, in: 0...Int.max)))
    for (label, name) in sketch.classNames.enumerated() {
      let folder = "\(operands[1])/\(name)"
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      for index in 0..<count {
        try sketch.draw(label, using: generator).write(to: "\(folder)/\(name)-\(index).png")
      }
    }
    Console.print("\(operands[1]): \(sketch.classNames.count) classes of \(count) pictures")
  }
}
