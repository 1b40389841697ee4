import AviaryLayers
import AviaryTensors
import AviaryWeights

// What captioners have alike in the catalogue, and check alike.

extension ConfigurationField {
  /// How many words are known, the four marks among them.
  static func words(_ property: WritableKeyPath<Configuration, Int>) -> Self {
    integer("vocab_size", 4...1_000_000, property)
  }

  /// How wide vectors are.
  static func width(_ name: String, _ property: WritableKeyPath<Configuration, Int>) -> Self {
    integer(name, 1...8192, property)
  }
}

extension TaskBinding {
  /// Squares in the colours that ImageNet's networks see, and words from a file beside the weights.
  ///
  /// - Parameters:
  ///   - side: of the squares, in pixels.
  ///   - wordMaps: where words are besides `wordmap.json`, as in ``CompanionFile/places``.
  static func captioner(
    side: Int, wordMaps: [String], parts: [WeightPart] = []
  ) -> TaskBinding {
    let wordMap = CompanionFile(
      places: ["*_wordmap.json", "wordmap.json"] + wordMaps, missing: { _ in nil },
      read: { path, metadata in metadata.labels = try WordVocabulary(contentsOf: path).words })
    return TaskBinding(
      preprocessing: .init(
        height: side, width: side, mean: [0.485, 0.456, 0.406], standardDeviation: [0.229, 0.224, 0.225]),
      companions: [wordMap], parts: parts)
  }
}

extension CaptioningNetwork {
  /// Throws `SignatureError` for captions of fewer words, and for lengths that are none of theirs.
  func checkLengths(_ inputs: NamedTensors, from least: Int) throws(SignatureError) {
    let shape = inputs["captions"].shape
    guard shape[1] >= least else {
      throw SignatureError(
        name: "captions", given: shape.shapeText,
        expected: "captions from \(least == 1 ? "one word" : "\(least) words") on")
    }
    guard let lengths = inputs[ifPresent: "caption_lengths"]?.cast(to: .int64).values(of: Int64.self),
      let wrong = lengths.first(where: { !(1...Int64(shape[1]) ~= $0) })
    else { return }
    throw SignatureError(
      name: "caption_lengths", given: "\(wrong) in one place", expected: "lengths from 1 to \(shape[1])")
  }
}
