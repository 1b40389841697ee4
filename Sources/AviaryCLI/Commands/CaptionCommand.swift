import Aviary

enum CaptionCommand: Command {
  static let name = "caption"
  static let summary =
    "Says in a sentence what pictures show. Folders, patterns and - (standard input) may be named too; of several pictures, drawings go to a folder, under the pictures' names."
  static let operands = "MODEL IMAGE..."
  static let options = [
    Option.weights, Option.words,
    Option(
      "beam", "N", "captions that are looked at at a time, by default 5; 1 takes the likeliest word always"),
    Option("normalize", nil, "compare captions by log p per word, which does not favour short ones"),
    Option("length", "N", "words after which a caption ends that has no end, by default 50"),
    Option(
      "attention", "FILE", "a picture of where the network looked at each word, .png or .jpg, or a folder"),
    Option.set, Option.exact, Option.eager, Option.precision, Option.json,
  ]
  static let example =
    "aviary caption show_attend_tell --weights captioner.safetensors dog.jpg --attention looks.png"

  private struct Record: PictureRecord {
    let image: String
    /// Nil where there was an error.
    var caption: String?
    /// The sum of log p over the words and the end.
    var score: Float?
    /// Whether it came to an end by itself.
    var isComplete: Bool?
    var error: String?

    init(image: String) { self.image = image }

    enum CodingKeys: CodingKey { case image, caption, score, isComplete, error }

    /// With `null` for what there is not, so that each picture has a `caption`.
    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(image, forKey: .image)
      try container.encode(caption, forKey: .caption)
      try container.encodeIfPresent(score, forKey: .score)
      try container.encodeIfPresent(isComplete, forKey: .isComplete)
      try container.encodeIfPresent(error, forKey: .error)
    }

    func show() {
      Console.print("\(image.onOneLine): \((caption ?? "").onOneLine)")
      guard let score, let isComplete else { return }
      let note = isComplete ? "" : ", cut off: no end came"
      Console.print("  log p \(score)\(note)")
    }
  }

  static func run(_ arguments: Arguments) throws {
    let (name, words) = try arguments.firstAndRest()
    let entry = try Catalogue.selection(name).entry
    try entry.require(Captioner.task)
    let operands = PictureOperands(words)
    let drawings = try PictureOutputs(
      arguments, "attention", for: operands.pictures, endings: ["png", "jpg", "jpeg"])
    let beam = try arguments.integer("beam", default: 5, in: 1...1000)
    let length = try arguments.integer("length", default: 50, in: 1...10_000)
    let captioner = try arguments.captioner(name, runs: operands.pictures.count)
    try arguments.record(operands, name: Self.name) { (record: inout Record, picture, index) in
      let image = try picture.image()
      let caption = try captioner.caption(
        image, beam: beam, isNormalized: arguments.has("normalize"), maximumLength: length,
        named: picture.name)
      (record.caption, record.score, record.isComplete) = (caption.text, caption.score, caption.isComplete)
      try drawings.map { try sheet(image, caption).write(to: $0.path(index)) }
    }
  }

  /// The picture, and once more for each word.
  private static func sheet(_ image: Image, _ caption: Caption) -> Image {
    let looks = zip(caption.words, caption.attention).map { image.lit(by: $1, word: $0) }
    return Image.grid([image] + looks, columns: min(looks.count + 1, 5))
  }
}

extension Option {
  static let words = Option(
    "vocabulary", "FILE",
    "the words of the weights: a JSON object from words to numbers, an array, or a pickled Vocabulary; by default what the weights or a wordmap.json or vocab.pkl beside them say"
  )
}

extension Arguments {
  /// A captioner with the weights, settings and words that were asked for.
  func captioner(_ name: String, runs: Int) throws -> Captioner {
    let entry = try Catalogue.selection(name).entry
    let sets = try SetOptions(self, for: entry)
    try sets.requireSettings(entry)
    var loaded = try loadedNetwork(name, sets)
    if let file = string("vocabulary") { loaded = loaded.bound(to: try WordVocabulary(contentsOf: file)) }
    loaded.tellChangesAndAssumptions()
    return try Captioner(loaded, execution: try execution(runs: runs))
  }
}
