import AviaryLayers
import AviaryTensors
import AviaryTraining
import AviaryWeights
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

/// Against torch's recurrences with deterministic weights (`tools/reference/translation_fixtures.py`).
@Suite("Translators")
struct TranslatorTests {
  private static let expected = Result {
    try GoldenFile(
      Bundle.module.url(
        forResource: "translation", withExtension: "safetensors", subdirectory: "Fixtures")!)
  }

  private func network(_ attention: RecurrentTranslator.Configuration.Attention) -> RecurrentTranslator {
    var configuration = RecurrentTranslator.Configuration()
    (configuration.source, configuration.target, configuration.attention) = (11, 9, attention)
    (configuration.embedding, configuration.width) = (12, 16)
    let network = RecurrentTranslator(configuration)
    for entry in network.stateEntries {
      entry.value = Tensor(DeterministicWeights.torch(entry.name, shape: entry.shape), shape: entry.shape)
    }
    return network
  }

  private let texts = Tensor(
    [3, 10, 0, 7, 7, 1, 4, 5, 2, 9, 6, 0, 0, 0].map { Int64($0) }, shape: [2, 7])
  private let words = Tensor([0, 4, 8, 2, 5, 0, 3, 3, 6, 1].map { Int64($0) }, shape: [2, 5])

  @Test("logits and attention of texts of different lengths equal torch's, with attention and without")
  func reference() throws {
    let expected = try Self.expected.get()
    for (attention, name) in [
      (RecurrentTranslator.Configuration.Attention.additive, "logits"), (.none, "plain.logits"),
    ] {
      let (logits, looks) = network(attention).teach(texts, lengths: [7, 4], target: words)
      #expect(relativeDifference(logits, try #require(expected[name])) < 1e-5)
      guard let looks else {
        #expect(attention == .none)
        continue
      }
      #expect(relativeDifference(looks, try #require(expected["attention"])) < 1e-5)
      #expect(looks.sliced(0, 1..<2).sliced(2, 4..<7).values().allSatisfy { $0 == 0 })
    }
  }

  @Test("a padded text is read as it is alone, and compiled as operation by operation")
  func padding() {
    let network = network(.additive)
    let both = network.teach(texts, lengths: [7, 4], target: words).logits
    let alone: NamedTensors = [
      "source": texts.sliced(0, 1..<2).sliced(1, 0..<4), "target": words.sliced(0, 1..<2),
    ]
    for outputs in [network(alone), network.compiled()(alone)] {
      #expect(relativeDifference(outputs["logits"], both.sliced(0, 1..<2)) < 1e-5)
      #expect(outputs["attention"].shape == [1, 5, 4])
    }
  }

  private func loaded(_ settings: Settings = [:]) throws -> LoadedNetwork {
    try withRandomSeed(2) {
      try Zoo.untrainedNetwork(try Catalogue.entry("translate_dates"), settings: settings)
    }
  }

  @Test("the answer is the network's, called by hand, in copies at the same time too")
  func byHand() async throws {
    nonisolated(unsafe) let loaded = try loaded()
    let network = try #require(loaded.network as? RecurrentTranslator)
    for entry in network.stateEntries where entry.shape.count == 2 { entry.value = entry.value * 4 }
    let vocabulary = try TranslationVocabulary(loaded)
    let text = "3 May 1998"
    let source = try vocabulary.source.encode(text)
    let tokens = Tensor(source.map { Int64($0) }, shape: [1, source.count])
    var (written, looks): ([Int], [Float]) = ([], [])
    network.evaluate()
    while written.count < 12, written.last != TranslationVocabulary.end {
      let before = [TranslationVocabulary.start] + written
      let outputs = network([
        "source": tokens, "target": Tensor(before.map { Int64($0) }, shape: [1, before.count]),
      ])
      let last = before.count - 1
      written.append(Int(outputs["logits"].selected(1, last).argMax().item(as: Int64.self)))
      looks = outputs["attention"].values()
    }
    let translator = try Translator(loaded)
    let answers = await withTaskGroup(of: Translation?.self) { group in
      for _ in 0..<3 {
        let copy = translator.copy()
        group.addTask { try? copy.translate(text, maximumLength: 12) }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
    for answer in answers {
      let answer = try #require(answer)
      #expect(answer.text == vocabulary.decode(written) && answer.source == text)
      #expect(answer.isComplete == (written.last == TranslationVocabulary.end))
      let attention = try #require(answer.attention)
      #expect(attention.shape == [written.count, source.count])
      #expect(relativeDifference(attention, Tensor(looks, shape: attention.shape)) < 1e-4)
      #expect(answer.labels.rows.count == written.count && answer.labels.columns.count == source.count)
    }
    // Looking at several cannot find a less likely one here.
    let better = try translator.translate(text, beam: 4, maximumLength: 12)
    #expect(better.score >= (try translator.translate(text, maximumLength: 12)).score - 1e-4)
  }

  @Test("texts of different lengths at the same time become what each becomes alone", arguments: [1, 3])
  func together(beam: Int) throws {
    let translator = try Zoo.load(Translator.self, "translate_dates")
    let texts =
      ["3.5.98", "Sunday, 3rd of May, 1998", "May 3", "5/3/98"]
      + (10..<20).map { "\($0) June 20\($0)" } + ["1 January 2001"]
    let together = try translator.translate(texts, beam: beam)
    #expect(together.map(\.source) == texts)
    for (text, found) in zip(texts, together) {
      let own = try translator.translate(text, beam: beam)
      #expect(found.text == own.text && abs(found.score - own.score) < 1e-4, "\(text)")
      let (looks, others) = (try #require(found.attention), try #require(own.attention))
      #expect(looks.shape == others.shape && relativeDifference(looks, others) < 1e-4)
    }
    #expect(try translator.translate([]).isEmpty)
    #expect(throws: LongText.self) {
      try translator.translate(["3.5.98", String(repeating: "1", count: 99)])
    }
  }

  @Test("what cannot be translated is told, and without attention there is none")
  func refused() throws {
    nonisolated(unsafe) let plain = try loaded(["attention": .string("none")])
    let translator = try Translator(plain)
    #expect(try translator.translate("3.5.1998").attention == nil)
    #expect(throws: EmptyText.self) { try translator.translate("") }
    let long = #expect(throws: LongText.self) { try translator.translate(String(repeating: "1", count: 35)) }
    #expect(long?.description.contains("35 characters") == true)
    let unknown = #expect(throws: UnknownCharacters.self) { try translator.translate("3 Mai 1998 ü") }
    #expect(unknown?.description == "the vocabulary lacks \"ü\"")
  }

  @Test("damaged or hostile metadata is refused")
  func metadata() throws {
    func refuses(_ change: (inout PortableMetadata) -> Void) throws {
      nonisolated(unsafe) var broken = try loaded()
      change(&broken.metadata)
      #expect(throws: (any Error).self) { try Translator(broken) }
    }
    try refuses { $0.labels = nil }
    try refuses { $0.labels?.removeLast() }
    try refuses { $0.labels?.swapAt(0, 1) }
    try refuses { $0.taskSettings?["source"] = nil }
    try refuses { $0.taskSettings?["source"] = .array([.integer(3)]) }
    try refuses { $0.taskSettings?["source"] = .array([.string("a"), .string("a")]) }
    try refuses { $0.taskSettings?["longest"] = .integer(0) }
    try refuses { $0.taskSettings?["other"] = .integer(1) }
    nonisolated(unsafe) let classifier = try Zoo.load("lenet").asNetwork
    #expect(throws: WrongTask.self) { try Translator(classifier) }
  }

  @Test("a small network learns what follows what, and exact counts what writing gets right")
  func learns() throws {
    let loaded = try loaded(["width": .integer(24), "embedding": .integer(8)])
    let network = try #require(loaded.network as? RecurrentTranslator)
    let vocabulary = try TranslationVocabulary(loaded)
    let learner = network.learner(vocabulary, Adam(learningRate: 1e-2))
    let batch = TextPairBatch(
      sources: ["3 May 1998", "4/5/98", "Sunday 1.2.2003"],
      targets: ["1998-05-03", "1998-04-05", "2003-02-01"])
    network.train()
    let first = try learner.learn(from: batch)
    for _ in 0..<150 { _ = try learner.learn(from: batch) }
    network.evaluate()
    let last = try learner.evaluation(of: batch)
    #expect(last.loss < first.loss / 5, "\(first.loss) \(last.loss)")
    nonisolated(unsafe) let trained = loaded
    let translator = try Translator(trained)
    let right = try zip(batch.sources, batch.targets).count { try translator.translate($0).text == $1 }
    #expect(abs((last.metrics["exact"] ?? 0) - Float(right) / 3) < 1e-6)
  }
}
