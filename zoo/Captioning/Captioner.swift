import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights

/// Says in a sentence what a picture shows, and where it looked at each word.
///
///     let caption = try Zoo.load(Captioner.self, "show_attend_tell", weights: "captioner.safetensors").caption(image)
///     print(caption.text)
public struct Captioner: TaskModel {
  public static let task = ZooTask.captioning

  /// The words that it knows.
  public let vocabulary: WordVocabulary
  /// How a picture becomes the network's input.
  public let preprocessing: Preprocessing
  private let pictures: PictureInput
  private let decoder: CaptionDecoder

  /// - Throws: ``WrongTask`` for a network of another task, ``UnsuitableWords`` when no words are bound to the weights or not as many as the network
  ///   knows, `WeightsError` or ``AdaptationError`` when what is bound to them makes no sense.
  public init(_ loaded: sending LoadedNetwork, execution: Execution = .compiled()) throws {
    guard loaded.task == Self.task, let network = loaded.network as? any CaptioningNetwork else {
      throw WrongTask(model: loaded.name, task: loaded.task)
    }
    guard let vocabulary = try loaded.metadata.labels.map(WordVocabulary.init) else {
      throw UnsuitableWords(
        "\(loaded.name) knows \(network.wordCount) words, and nothing says which: lay the word map beside the weights, or name it with --vocabulary, that is a JSON object from words to numbers or an array of words"
      )
    }
    guard vocabulary.count == network.wordCount else {
      throw UnsuitableWords(
        "the vocabulary has \(vocabulary.count) words, but the network knows \(network.wordCount)")
    }
    let preprocessing = try loaded.preprocessing()
    try loaded.requirePictures(preprocessing)
    self.init(SharedNetwork(loaded.network, execution: execution), vocabulary, preprocessing)
  }

  private init(_ network: SharedNetwork, _ vocabulary: WordVocabulary, _ preprocessing: Preprocessing) {
    self.vocabulary = vocabulary
    self.preprocessing = preprocessing
    pictures = PictureInput(preprocessing)
    decoder = CaptionDecoder(network)
  }

  private init(_ other: Captioner) {
    (vocabulary, preprocessing, pictures) = (other.vocabulary, other.preprocessing, other.pictures)
    decoder = other.decoder.copy()
  }

  public func copy() -> Captioner { Captioner(self) }

  /// What a picture shows.
  ///
  /// - Parameters:
  ///   - beam: how many captions are looked at at a time, from 1 (always the likeliest word) on.
  ///   - isNormalized: whether captions are compared by log p per word, not by its sum, which favours short ones.
  ///   - maximumLength: words after which a caption ends that has no end of its own.
  ///   - name: what messages call the picture.
  /// - Throws: ``UnsuitablePicture``, ``NoNumbers``.
  public func caption(
    _ image: Image, beam: Int = 5, isNormalized: Bool = false, maximumLength: Int = 50,
    named name: String = "the picture"
  ) throws -> Caption {
    let features = try features(of: image, named: name)
    return try captions(features, beam: beam, isNormalized: isNormalized, maximumLength: maximumLength)[0]
  }

  /// What the encoder makes of a picture, 1×h×w×D. Throws ``UnsuitablePicture``, ``NoNumbers``.
  package func features(of image: Image, named name: String) throws -> Tensor {
    try decoder.features(of: try pictures.input(image, named: name), named: name)
  }

  /// As ``caption(_:beam:isNormalized:maximumLength:named:)``, of what the encoder made of pictures, N×h×w×D, whose words are looked for at
  /// the same time. Throws ``NoNumbers``.
  package func captions(
    _ features: Tensor, beam: Int, isNormalized: Bool = false, maximumLength: Int = 50
  ) throws -> [Caption] {
    require(beam > 0 && maximumLength > 0, "captions of \(maximumLength) words, \(beam) at a time")
    let search = BeamSearch(width: beam, maximumLength: maximumLength, isNormalized: isNormalized)
    return try decoder.best(search, of: features, start: vocabulary.start, end: vocabulary.end).map {
      Caption($0, vocabulary, grid: (features.shape[1], features.shape[2]))
    }
  }
}

/// What a picture shows, in words.
public struct Caption: Sendable {
  /// The words, without marks of beginning and end.
  public let words: [String]
  /// The sum of log p of the words and of the end.
  public let score: Float
  /// Whether it came to an end by itself, and not because it was long enough.
  public let isComplete: Bool
  /// Where the network looked at each of ``words``: h×w float32, adding up to 1.
  public let attention: [Tensor]

  init(_ hypothesis: BeamSearch.Hypothesis, _ vocabulary: WordVocabulary, grid: (height: Int, width: Int)) {
    let shown = zip(hypothesis.words, hypothesis.attention).filter { $0.0 != vocabulary.end }
    words = shown.map { vocabulary.words[$0.0] }
    attention = shown.map { Tensor($0.1, shape: [grid.height, grid.width]) }
    score = hypothesis.score
    isComplete = hypothesis.isComplete
  }

  /// The words with spaces between them.
  public var text: String { words.joined(separator: " ") }
}

extension LoadedNetwork {
  /// The same with other words bound to it.
  public func bound(to vocabulary: WordVocabulary) -> LoadedNetwork {
    var result = self
    result.metadata.labels = vocabulary.words
    result.assumptions = []
    return result
  }
}
