import AviaryLayers
import AviaryTensors
import AviaryTraining
import AviaryVision
import AviaryWeights
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

/// The full-size network with deterministic weights against its reference (`tools/reference/captioner_fixtures.py`).
@Suite("Captions")
struct CaptionerTests {
  private static let expected = try! GoldenFile(
    Bundle.module.url(forResource: "captioner", withExtension: "safetensors", subdirectory: "Fixtures")!)

  private func expected(_ name: String) throws -> Tensor { try #require(Self.expected[name], "\(name)") }

  private static let factors: [String: Float] = [
    "decoder.fc.weight": 12, "decoder.embedding.weight": 8, "decoder.attention.full_att.weight": 2,
  ]

  private func filled() throws -> LoadedNetwork {
    let loaded = try Zoo.untrainedNetwork(try Catalogue.entry("show_attend_tell"))
    for entry in loaded.network.stateEntries where !entry.isFixed {
      let factor = Self.factors[entry.name] ?? 1
      let values = DeterministicWeights.torch(entry.name, shape: entry.shape)
      entry.value = Tensor(values.map { $0 * factor }, shape: entry.shape)
    }
    return loaded
  }

  /// Words that are their numbers, with the marks where the tutorial's word map has them.
  private func words(end: Int = 9489) throws -> WordVocabulary {
    var words = (0..<9490).map { "w\($0)" }
    (words[0], words[9487], words[9488], words[end]) = ("<pad>", "<unk>", "<start>", "<end>")
    return try WordVocabulary(words)
  }

  private func image(_ shape: Shape) -> Tensor {
    Tensor(DeterministicWeights.image(shape: shape), shape: shape)
  }

  @Test("features, words as they are taught, and the captions found equal the reference's")
  func reference() throws {
    let loaded = try filled()
    let network = try #require(loaded.network as? ShowAttendTell)
    let counts = try expected("counts").values(of: Int64.self).map(Int.init)
    #expect(network.parameterCount == counts[1])
    network.evaluate()
    let features = network.encode(image([1, 3, 256, 256]))
    #expect(features.shape == [1, 14, 14, 2048])
    let picked = features.everySeventh(1).everySeventh(2)
    let channels = stack((0..<32).map { picked.selected(3, $0 * 64) }, axis: 3)
    #expect(relativeDifference(channels, try expected("picture.features")) < 1e-4)

    let given = image([2, 14, 14, 2048]).abs()
    let captions = Tensor(
      [9488, 5, 310, 77, 4021, 9489, 9488, 12, 9000, 9489, 0, 0].map { Int64($0) }, shape: [2, 6])
    let inputs: NamedTensors = [
      "captions": captions, "encoder_out": given, "caption_lengths": Tensor([Int64(6), 4]),
    ]
    for outputs in [network(inputs), network.compiled()(inputs)] {
      let predictions = outputs["predictions"]
      let some = stack((0..<257).map { predictions.selected(2, $0 * 37) }, axis: 2)
      #expect(relativeDifference(some, try expected("taught.predictions")) < 1e-4)
      #expect(relativeDifference(outputs["alphas"], try expected("taught.alphas")) < 1e-4)
    }

    let scores = try expected("scores").values()
    for (place, (name, beam, end)) in [("beam1", 1, 9489), ("beam5", 5, 9489), ("ended5", 5, 6766)]
      .enumerated()
    {
      nonisolated(unsafe) let bound = try filled().bound(to: try words(end: end))
      let captioner = try Captioner(bound)
      let caption = try captioner.captions(given.sliced(0, 0..<1), beam: beam, maximumLength: 16)[0]
      let wanted = try expected(name).values(of: Int64.self).filter { $0 != Int64(end) }
      #expect(caption.words == wanted.map { "w\($0)" }, "\(name)")
      #expect(abs(caption.score - scores[place]) < 1e-3 * abs(scores[place]))
      #expect(caption.isComplete == (name == "ended5"))
      #expect(caption.attention.count == caption.words.count)
      #expect(caption.attention.allSatisfy { abs($0.sum().item() - 1) < 1e-4 && $0.shape == [14, 14] })
    }
  }

  /// A captioner of simple forms that a second teaches.
  private func small() throws -> (network: ShowAttendTell, loaded: LoadedNetwork, words: WordVocabulary) {
    let words = WordVocabulary(of: ["a red circle", "a blue square"])
    let loaded = try withRandomSeed(1) {
      try Zoo.untrainedNetwork(
        try Catalogue.entry("show_attend_tell"),
        settings: [
          "vocab_size": .integer(words.count), "encoder": .string("plain"), "encoded_image_size": .integer(2),
          "attention_dim": .integer(16), "embed_dim": .integer(16), "decoder_dim": .integer(32),
          "dropout": .integer(0),
        ])
    }
    return (try #require(loaded.network as? ShowAttendTell), loaded.bound(to: words), words)
  }

  @Test("it learns captions of drawn pictures, and then says them, one, several at a time, in copies at once")
  func learns() async throws {
    var (network, loaded, words) = try small()
    var generator = SceneGenerator.singles(width: 16, height: 16)
    (generator.shapes, generator.colours, generator.textures) = (
      [.circle, .square], [.red, .blue], [.plain]
    )
    let preprocessing = Preprocessing()
    let pictures = ScenePictures(generator, count: 32)
    words = WordVocabulary(of: (0..<32).flatMap { pictures.picture($0).captions })
    loaded = try withRandomSeed(1) {
      try Zoo.untrainedNetwork(
        try Catalogue.entry("show_attend_tell"),
        settings: loaded.settings.merging(["vocab_size": .integer(words.count)]) { $1 })
    }.bound(to: words)
    network = try #require(loaded.network as? ShowAttendTell)
    loaded.metadata.preprocessing = .init(height: 16, width: 16)
    let data = AugmentedPictures<CaptionBatch>(pictures, preprocessing: preprocessing)
    let learner = network.learner(words, Adam(learningRate: 0.01), attentionWeight: 0.1)
    let reports = try Trainer(learner).fit(data, epochs: 35, batchSize: 8)
    let accuracy = try #require(reports.last?.training.metrics["word_accuracy"])
    #expect(accuracy > 0.95, "\(accuracy)")
    network.evaluate()
    nonisolated(unsafe) let taught = loaded
    let captioner = try Captioner(taught)
    let right = try (0..<32).count { index in
      let picture = pictures.picture(index)
      return try captioner.caption(picture.image, beam: 3).text
        == WordVocabulary.split(picture.captions[0]).joined(separator: " ")
    }
    #expect(right >= 28, "\(right) of 32")
    let first = pictures.picture(0).image
    let features = try (0..<7).map {
      try captioner.features(of: pictures.picture($0).image, named: "a picture")
    }
    for beam in [1, 3] {
      let together = try captioner.captions(concatenate(features, axis: 0), beam: beam)
      #expect(together.count == features.count)
      for (features, caption) in zip(features, together) {
        let own = try captioner.captions(features, beam: beam)[0]
        #expect(caption.words == own.words && abs(caption.score - own.score) < 1e-4)
        for (looks, others) in zip(caption.attention, own.attention) {
          #expect(relativeDifference(looks, others) < 1e-4)
        }
      }
    }
    let alone = try captioner.caption(first).text
    try await withThrowingTaskGroup(of: String.self) { group in
      for _ in 0..<4 {
        let copy = captioner.copy()
        group.addTask { try copy.caption(first).text }
      }
      for try await text in group { #expect(text == alone) }
    }
  }

  @Test("words come from a word map or an array; what is none says why")
  func vocabulary() throws {
    let words = try WordVocabulary(["<pad>", "a", "dog", "<unk>", "<start>", "<end>"])
    #expect(words.encode("A dog, a cat!") == [4, 1, 2, 1, 3, 5])
    #expect(throws: UnsuitableWords("the vocabulary has \"a\" twice, as 0 and as 1")) {
      try WordVocabulary(["a", "a"])
    }
    #expect(throws: UnsuitableWords("the vocabulary of 1 words has no <start>")) { try WordVocabulary(["a"]) }
    try withTemporaryFolder { folder in
      let file = "\(folder)/wordmap.json"
      try #"{"<pad>": 0, "a": 1, "dog": 2, "<unk>": 3, "<start>": 4, "<end>": 5}"#
        .write(toFile: file, atomically: true, encoding: .utf8)
      #expect(try WordVocabulary(contentsOf: file) == words)
      for bad in [#"{"a": 7}"#, "3", #"["a", 1]"#, "[", #"{"a": 0, "b": 0}"#] {
        try bad.write(toFile: file, atomically: true, encoding: .utf8)
        #expect(throws: WeightsError.self) { try WordVocabulary(contentsOf: file) }
      }
    }
    // Neither other words nor a missing map are taken without a word.
    let loaded = try small().loaded
    nonisolated(unsafe) let other = loaded.bound(to: words)
    #expect(throws: UnsuitableWords.self) { try Captioner(other) }
    nonisolated(unsafe) var nameless = loaded
    nameless.metadata.labels = nil
    let error = #expect(throws: UnsuitableWords.self) { try Captioner(nameless) }
    #expect(error?.description.contains("--vocabulary") == true)
  }

  @Test("a portable file has words and settings, and the network is known by its tensors")
  func portable() throws {
    let (network, loaded, words) = try small()
    try withTemporaryFolder { folder in
      let file = "\(folder)/captioner.safetensors"
      try loaded.save(to: file)
      let again = try Zoo.network("show_attend_tell", weights: file)
      #expect(again.metadata.labels == words.words && again.settings == loaded.settings)
      #expect(again.network.stateEntries.count == network.stateEntries.count)
      let found = Zoo.identification(of: try WeightFile.open(file).archive)
      #expect(found?.entry.name == "show_attend_tell")
    }
  }
}

extension Tensor {
  /// Every seventh of an axis.
  fileprivate func everySeventh(_ axis: Int) -> Tensor {
    stack(stride(from: 0, to: shape[axis], by: 7).map { selected(axis, $0) }, axis: axis)
  }
}

@Suite("Beam search")
struct BeamSearchTests {
  /// What follows each word, the same whatever came before: 0 is the start, 3 the end.
  private let next: [[Float]] = [
    [-9, log(0.6), log(0.4), -9], [-9, log(0.3), log(0.3), log(0.4)], [-9, -9, -9, 0],
  ]

  private func search(_ width: Int, isNormalized: Bool = false) -> BeamSearch.Hypothesis {
    BeamSearch(width: width, maximumLength: 6, isNormalized: isNormalized).best(start: 0, end: 3) {
      _, words in
      BeamSearch.Step(
        logProbabilities: words.map { next[$0] }, attention: words.map { [Float($0)] })
    }
  }

  @Test("one at a time takes the likeliest word; several find what is likelier in the end")
  func width() {
    // 1 (0.6), then the end (0.4): 0.24; but 2 (0.4), then the end for sure.
    #expect(search(1).words == [1, 3] && abs(search(1).score - log(0.24)) < 1e-6)
    #expect(search(2).words == [2, 3] && abs(search(2).score - log(0.4)) < 1e-6)
    #expect(search(2).attention == [[0], [2]] && search(2).isComplete)
  }

  @Test("several texts at the same time come to what each comes to alone", arguments: [1, 2, 3, 5])
  func together(_ width: Int) {
    // Chances that depend on the text and on the word before, some of which end soon and some never.
    func scores(_ text: Int, _ word: Int) -> [Float] {
      (0..<6).map { next in
        let chance = Float((7 * text + 3 * word + 5 * next * next + text * next) % 11) / 4
        return next == 5 && text % 3 == 0 ? -9 : chance
      }
    }
    let search = BeamSearch(width: width, maximumLength: 9)
    let alone = (0..<9).map { text in
      search.best(start: 0, end: 5) { _, words in
        BeamSearch.Step(
          logProbabilities: words.map { scores(text, $0) }, attention: words.map { [Float($0), Float(text)] })
      }
    }
    var (sizes, before) = ([Int](), [Int]())
    let together = search.best(9, start: 0, end: 5) { rows in
      let lanes = rows.words.count / rows.texts.count
      #expect(lanes * rows.texts.count == rows.words.count && lanes <= width)
      let texts = rows.texts.flatMap { Array(repeating: $0, count: lanes) }
      // Each row goes on from one of its own text.
      #expect(zip(rows.parents, texts).allSatisfy { before.isEmpty ? $0 == $1 : before[$0] == $1 })
      sizes.append(rows.texts.count)
      before = texts
      return BeamSearch.Step(
        logProbabilities: zip(texts, rows.words).map { scores($0, $1) },
        attention: zip(texts, rows.words).map { [Float($1), Float($0)] })
    }
    for (own, other) in zip(alone, together) {
      #expect(own.words == other.words && own.score == other.score && own.isComplete == other.isComplete)
      #expect(own.attention == other.attention)
    }
    #expect(Set(sizes).isSubset(of: [9, 4, 2, 1]))
  }

  @Test("without an end the best open one is returned, and a longest length holds")
  func endless() {
    let endless = BeamSearch(width: 3, maximumLength: 4).best(start: 0, end: 9) { _, words in
      BeamSearch.Step(
        logProbabilities: words.map { _ in [log(0.2), log(0.8)] }, attention: words.map { _ in [1] })
    }
    #expect(endless.words == [1, 1, 1, 1] && !endless.isComplete)
  }
}
