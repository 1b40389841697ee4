import AviaryLayers
import AviaryTensors
import AviaryWeights
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

@Suite("GPT-2's texts")
struct GPT2WritingTests {
  @Test("the likelihood of a text is that of its tokens one by one, in windows that overlap as asked")
  func likelihood() throws {
    let model = try GPT2Fixture.model(positions: 12)
    let loaded = try GPT2Fixture.network(positions: 12)
    let network = try #require(loaded.network as? GPT2)
    let text =
      "The gulls had been told that nothing would be left for them, and they did not believe it at all."
    let tokens = try model.tokenizer.encode(text)
    #expect(tokens.count > 30)
    for stride in [1, 5, 6, 12] {
      let found = try model.negativeLogLikelihood(of: text, stride: stride)
      var (nats, start, done) = (Float(0), 0, 0)
      while done < tokens.count - 1 {
        let end = min(start + 12, tokens.count - 1)
        let read = tokens[start..<end].map { Int64($0) }
        let logits = network(Tensor(read, shape: [1, read.count])).squeezed(0).logSoftmax()
        for index in max(start, done)..<end {
          nats -= logits[index - start].values()[tokens[index + 1]]
        }
        done = end
        start += stride
      }
      #expect(found.count == tokens.count - 1)
      #expect(abs(found.nats - nats / Float(found.count)) < 1e-4 * found.nats, "\(stride)")
      let bytes = text.utf8.count - model.tokenizer.bytes(of: tokens[0]).count
      #expect(found.byteCount == bytes)
      #expect(abs(found.bitsPerByte - nats / log(2) / Float(bytes)) < 1e-3 * found.bitsPerByte)
    }
    let single = #expect(throws: EmptyText.self) { try model.negativeLogLikelihood(of: "t") }
    #expect(single?.description.contains("2 tokens at least") == true)
    #expect(throws: EmptyText.self) { try model.negativeLogLikelihood(of: "") }
  }

  @Test("texts begin with nothing, stop at a text and at their end, and come by whole characters")
  func writing() throws {
    let model = try GPT2Fixture.model()
    let whole = try model.write("", length: 60, seed: 2)
    #expect(try model.write("<|endoftext|>", length: 60, seed: 2) == whole)
    var pieces: [String] = []
    let again = try model.write("", length: 60, seed: 2) { pieces.append($0) }
    #expect(again == whole && pieces.joined() == whole)
    // Three characters of the middle end the text before them.
    let characters = Array(whole)
    let stop = String(characters[characters.count / 2..<characters.count / 2 + 3])
    let cut = try model.write("", length: 60, stops: ["no such text", stop], seed: 2)
    #expect(whole.hasPrefix(cut + stop) && !cut.contains(stop))
  }

  @Test("a model that knows nothing but the end writes nothing")
  func ending() throws {
    let loaded = try GPT2Fixture.network()
    let network = try #require(loaded.network as? GPT2)
    let vocabulary = try ByteLevelBPE(vocabulary: GPT2Fixture.path("vocab.json"))
    let end = try #require(vocabulary.endOfText)
    network.lnF.weight.value = .zeros([16])
    network.lnF.bias.value = .ones([16])
    var table = network.wte.weight.value.values()
    for index in 0..<16 { table[end * 16 + index] = 50 }
    network.wte.weight.value = Tensor(table, shape: [372, 16])
    nonisolated(unsafe) let changed = loaded
    let ending = try LanguageModel(changed)
    #expect(try ending.write("The", length: 20).isEmpty)
    #expect(try ending.likeliest("The", length: 20, beam: 2).isEmpty)
  }

  @Test("one beam is greedy, and more beams find likelier texts")
  func beams() throws {
    let model = try GPT2Fixture.model()
    let prompt = "The gulls"
    let greedy = try model.write(prompt, length: 8, choosing: .greedy)
    #expect(try model.likeliest(prompt, length: 8, beam: 1) == greedy)
    let loaded = try GPT2Fixture.network()
    let network = try #require(loaded.network as? GPT2)
    func score(_ text: String) throws -> Float {
      let (start, all) = (try model.tokenizer.encode(prompt), try model.tokenizer.encode(prompt + text))
      try #require(all.starts(with: start))
      let logits = network(Tensor(all.map { Int64($0) }, shape: [1, all.count])).squeezed(0).logSoftmax()
      return (start.count..<all.count).reduce(0) { $0 + logits[$1 - 1].values()[all[$1]] }
    }
    for isNormalized in [false, true] {
      let found = try model.likeliest(prompt, length: 8, beam: 6, isNormalized: isNormalized)
      // Texts of other tokens than they were written by have other scores.
      guard try model.tokenizer.encode(prompt + found).count == 2 + 8, let found = try? score(found),
        let greedy = try? score(greedy)
      else { continue }
      #expect(found >= greedy - 1e-4)
    }
  }

  @Test("probabilities after top-k, with its ties, and top-p are transformers'")
  func choices() throws {
    let file = try GPT2Fixture.file.get()
    let scores = try #require(file["choice.scores"]).values()
    func compare(_ name: String, _ temperature: Float, _ k: Int?, _ p: Float?) throws {
      var found = [Float](repeating: 0, count: scores.count)
      for (place, probability) in TokenChoice.candidates(scores, temperature, k, p) {
        found[place] = Float(probability)
      }
      let expected = try #require(file["choice.\(name)"]).values()
      for (a, b) in zip(found, expected) { #expect(abs(a - b) < 1e-5, "\(name)") }
    }
    for k in [1, 2, 3, 7] { try compare("top_k \(k)", 1, k, nil) }
    for p in ["0.1", "0.5", "0.9"] {
      try compare("top_p \(p)", 1, nil, Float(p))
      try compare("both \(p)", 0.7, 5, Float(p))
    }
  }
}
