import Aviary

extension StyleTransferOptions {
  static let options: [Option] = [
    Option("steps", "N", "step by step: at each size, by default \(Self().steps)"),
    Option("sizes", "N", "step by step: sizes from small to large, by default \(Self().sizes)"),
    Option("style-weight", "X", "step by step: how much the style counts, by default \(Self().styleWeight)"),
    Option("content-weight", "X", "step by step: how much the content counts, by default 1"),
    Option(
      "tv-weight", "X", "step by step: how much smoothness counts, by default \(Self().variationWeight)"),
    Option(
      "style-scale", "X", "step by step: longer side of the styles in parts of the result's, by default 1"),
    Option("start", "content|noise|style", "step by step: what is changed at first, by default the content"),
    Option("optimizer", "lbfgs|adam", "step by step: which way steps are found, by default lbfgs"),
    Option("pooling", "max|average", "step by step: of the network, by default average"),
    Option("seed", "N", "step by step: of the noise, by default 0"),
    Option("keep-colours", nil, "keep the content's colours: only brightness takes the style on"),
    Option(
      "tile", "N", "step by step: side of the tiles that larger pictures are worked on in, by default 640"),
  ]

  /// - Parameter size: pixels of the longer side unless `--size` says otherwise.
  init(_ arguments: Arguments) throws {
    self.init()
    size = try arguments.integer("size", default: size, in: 1...16_384)
    steps = try arguments.integer("steps", default: steps, in: 1...1_000_000)
    sizes = try arguments.integer("sizes", default: sizes, in: 1...8)
    styleWeight = try arguments.number("style-weight", default: styleWeight, in: 0...1e9)
    contentWeight = try arguments.number("content-weight", default: contentWeight, in: 0...1e9)
    variationWeight = try arguments.number("tv-weight", default: variationWeight, in: 0...1e9)
    styleScale = try arguments.number("style-scale", default: styleScale, in: 0.01...16)
    start = try arguments.word("start", default: start)
    optimizer = try arguments.word("optimizer", default: optimizer)
    seed = UInt64(try arguments.integer("seed", default: 0, in: 0...Int.max))
    keepsColours = arguments.has("keep-colours")
    tile = try arguments.integer("tile", default: tile, in: 64...8192)
  }
}

extension Arguments {
  /// One of the words that are the raw values of a type.
  func word<Value: RawRepresentable<String> & CaseIterable>(
    _ name: String, default value: Value
  ) throws -> Value {
    guard let text = string(name) else { return value }
    guard let word = Value(rawValue: text) else {
      let words = Value.allCases.map(\.rawValue).joined(separator: ", ")
      throw UsageError("--\(name) takes one of \(words), not '\(text)'")
    }
    return word
  }
}
