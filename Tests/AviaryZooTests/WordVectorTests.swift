import AviaryTensors
import AviaryWeights
import Foundation
import Testing

@testable import AviaryZoo

@Suite("Vectors of words")
struct WordVectorTests {
  private let small = Result {
    try WordVectors(
      words: ["king", "queen", "man", "woman", "apple"], width: 3,
      values: [2, 2, 0, 2, -2, 0, 1, 1, -1, 1, -1, -1, 0, 0.1, 3])
  }

  @Test("nearest words and analogies by hand")
  func neighbours() throws {
    let vectors = try small.get()
    // cos(king, man) = 4 / (√8 √3), cos(king, queen) = 0.
    let nearest = try vectors.nearest(to: "king", count: 2)
    #expect(nearest.map(\.word) == ["man", "apple"])
    #expect(abs(nearest[0].similarity - 4 / Float(24).squareRoot()) < 1e-6)
    #expect(abs(try vectors.similarity("king", "queen")) < 1e-6)
    // king − man + woman, as man is to king so is woman to what.
    #expect(try vectors.analogy("man", "king", "woman", count: 1).map(\.word) == ["queen"])
    #expect(try vectors.analogy("man", "king", "woman", count: 9).count == 2)
    let unknown = #expect(throws: UnknownWord.self) { try vectors.nearest(to: "King") }
    #expect(unknown?.description.hasSuffix("did you mean king?") == true)
    #expect(throws: UnknownWord.self) { try vectors.analogy("man", "king", "x") }
  }

  @Test("words twice, empty ones, and numbers that are none are refused")
  func unsuitable() {
    for (words, values) in [
      (["a", "a"], [Float(1), 2]), (["a", ""], [1, 2]), (["a", "b c"], [1, 2]), (["a", "b"], [1]),
      (["a", "b"], [1, .nan]), (["a", "b"], [.infinity, 1]),
    ] {
      #expect(throws: UnsuitableVectors.self) { try WordVectors(words: words, width: 1, values: values) }
    }
  }

  @Test("one step against the gradient that is worked out by hand")
  func step() {
    var options = Word2Vec()
    options.width = 2
    var state = Word2VecState(
      input: [0.5, -0.5, 1, 0.25, -0.25, 0.75], output: [0.1, 0.2, -0.3, 0.4, 0.5, -0.6], options)
    state.step([(0, 1), (2, 0)], from: [1], rate: 0.1)
    // h = (1, ¼): v₀·h = 0.15, v₂·h = 0.35.
    let (right, wrong) = (0.1 * (1 - SigmoidTable.value(0.15)), 0.1 * (0 - SigmoidTable.value(0.35)))
    let input: [Float] = [
      0.5, -0.5, 1 + right * 0.1 + wrong * 0.5, 0.25 + right * 0.2 - wrong * 0.6, -0.25, 0.75,
    ]
    let output: [Float] = [
      0.1 + right, 0.2 + right / 4, -0.3, 0.4, 0.5 + wrong, -0.6 + wrong / 4,
    ]
    #expect(zip(state.input, input).allSatisfy { abs($0 - $1) < 1e-6 })
    #expect(zip(state.output, output).allSatisfy { abs($0 - $1) < 1e-6 })

    // Of two words h is the mean, and each gets the whole gradient of it.
    state = Word2VecState(
      input: [0.5, -0.5, 1, 0.25, -0.25, 0.75], output: [0.1, 0.2, -0.3, 0.4, 0.5, -0.6], options)
    state.step([(1, 1)], from: [0, 2], rate: 0.1)
    let gradient = 0.1 * (1 - SigmoidTable.value(-0.3 * 0.125 + 0.4 * 0.125))
    let mean: [Float] = [
      0.5 - gradient * 0.3, -0.5 + gradient * 0.4, 1, 0.25, -0.25 - gradient * 0.3, 0.75 + gradient * 0.4,
    ]
    #expect(zip(state.input, mean).allSatisfy { abs($0 - $1) < 1e-6 })
    #expect(abs(state.output[2] - (-0.3 + gradient * 0.125)) < 1e-6)
  }

  @Test("the table of σ, and how often frequent words are kept")
  func tables() {
    for x in stride(from: Float(-5.9), to: 5.9, by: 0.37) {
      #expect(abs(SigmoidTable.value(x) - 1 / (1 + exp(-x))) < 0.012)
    }
    #expect(SigmoidTable.value(6) == 1 && SigmoidTable.value(-6.5) == 0 && SigmoidTable.value(.nan).isNaN)
    // A word that is a hundredth of all, with t = 1e-3: (√10 + 1) / 10.
    #expect(abs(Word2VecState.kept(100, of: 10_000, sample: 1e-3) - (Float(10).squareRoot() + 1) / 10) < 1e-6)
    #expect(Word2VecState.kept(100, of: 10_000, sample: 0) == 1)
  }

  /// Sentences of words of one of two topics.
  private func corpus() -> (sentences: [[String]], topics: [[String]]) {
    let topics = [
      ["sea", "ship", "sail", "wave", "port", "fish"], ["oven", "bread", "flour", "salt", "dough", "cake"],
    ]
    let generator = RandomGenerator(seed: 3)
    let sentences = (0..<600).map { _ in
      let topic = topics[generator.integer(in: 0..<2)]
      return (0..<8).map { _ in topic[generator.integer(in: 0..<topic.count)] }
    }
    return (sentences, topics)
  }

  @Test("words of a topic are nearest to words of that topic", arguments: Word2Vec.Architecture.allCases)
  func topics(_ architecture: Word2Vec.Architecture) throws {
    let (sentences, topics) = corpus()
    var trainer = Word2Vec()
    (trainer.architecture, trainer.width, trainer.sample, trainer.epochs) = (architecture, 10, 0, 8)
    let vectors = try trainer.train(on: sentences)
    #expect(Set(vectors.words) == Set(topics.joined()))
    for topic in topics {
      for word in topic {
        let nearest = try vectors.nearest(to: word, count: topic.count - 1).map(\.word)
        #expect(Set(nearest + [word]) == Set(topic), "\(word): \(nearest)")
      }
    }
    #expect(try trainer.train(on: sentences) == vectors)
    trainer.seed = 2
    #expect(try trainer.train(on: sentences) != vectors)
  }

  @Test("too few words, and steps that are too large, are told")
  func refused() {
    var trainer = Word2Vec()
    #expect(throws: RareWords(count: 0, least: 5)) { try trainer.train(on: [["a", "b"]]) }
    #expect(throws: RareWords(count: 1, least: 5)) { try trainer.train(on: [["a", "a", "a", "a", "a"]]) }
    (trainer.learningRate, trainer.sample) = (1e30, 0)
    #expect(throws: UnsuitableVectors.self) { try trainer.train(on: corpus().sentences) }
    #expect(Word2Vec.sentences(of: "a  b\n\n c\r\nd") == [["a", "b"], ["c"], ["d"]])
  }
}

@Suite("Texts by their words")
struct TextIndexTests {
  private let four = ["the cat sat", "the dog sat", "the bird sat", "the end"]

  @Test("in four texts a word of all counts nothing, and one of three ln(4/3)")
  func rarity() {
    let index = TextIndex(four)
    #expect(index.rarity(of: "the") == 0)
    #expect(abs(index.rarity(of: "sat") - 0.288) < 5e-4)
    #expect(abs(index.rarity(of: "Cat") - log(4)) < 1e-12)
    #expect(index.rarity(of: "horse") == 0)
    #expect(index.search("the").isEmpty && index.search("").isEmpty && index.search("horse").isEmpty)
    #expect(index.unknownWords(of: "the horse saw a horse") == ["horse", "saw", "a"])
  }

  @Test("cosines by hand, the most similar first, of equals the first")
  func cosines() {
    let index = TextIndex(four)
    let (one, three) = (log(4.0), log(4.0 / 3))
    let length = (one * one + three * three).squareRoot()
    let found = index.search("sat CAT, sat!")
    #expect(found.map(\.document) == [0, 1, 2])
    // The query's vector is (ln 4, 2 ln 4/3).
    let query = (one * one + 4 * three * three).squareRoot()
    #expect(abs(found[0].similarity - (one * one + 2 * three * three) / length / query) < 1e-12)
    #expect(abs(found[1].similarity - 2 * three * three / length / query) < 1e-12)
    #expect(found[1].similarity == found[2].similarity)
    #expect(index.search("sat", count: 2).count == 2)
    #expect(abs(index.search("end")[0].similarity - 1) < 1e-12)
  }

  /// With N = 4: idf = ln(5 / (1 + n)) + 1, so 1 of `the`, ln(5/4) + 1 of `sat`, ln(5/2) + 1 of the others.
  @Test("smooth rarity is scikit-learn's")
  func smooth() {
    let index = TextIndex(four, rarity: .smooth, leastLetters: 2)
    #expect(index.rarity(of: "the") == 1)
    #expect(abs(index.rarity(of: "sat") - 1.2231435513142097) < 1e-12)
    #expect(abs(index.rarity(of: "end") - 1.916290731874155) < 1e-12)
    let length = (1 + pow(1.916290731874155, 2)).squareRoot()
    #expect(abs(index.search("end")[0].similarity - 1.916290731874155 / length) < 1e-12)
  }

  @Test("words are letters of any script, numbers and low lines")
  func words() {
    #expect(
      TextIndex.words(of: "Don't: snake_case, 3.5 – Ärger И я\u{301}") == [
        "don", "t", "snake_case", "3", "5", "ärger", "и", "я\u{301}",
      ])
    #expect(TextIndex.words(of: "a bc", least: 2) == ["bc"])
  }
}
