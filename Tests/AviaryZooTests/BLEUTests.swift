import Foundation
import Testing

@testable import AviaryZoo

/// Against sacrebleu (`tools/reference/bleu_fixtures.py`).
@Suite("BLEU")
struct BLEUTests {
  private struct Expected: Decodable {
    struct Line: Decodable {
      let text: String
      let words: [String]
    }
    struct Corpus: Decodable {
      let texts: [String]
      let references: [[String]]
      let scores: [Double]
    }
    let words: [Line]
    let corpora: [Corpus]
  }

  private static let expected = try! JSONDecoder().decode(
    Expected.self,
    from: Data(
      contentsOf: Bundle.module.url(forResource: "bleu", withExtension: "json", subdirectory: "Fixtures")!))

  @Test("lines are cut into words as 13a does")
  func words() {
    for line in Self.expected.words { #expect(WordSplitting.mteval(line.text) == line.words) }
    #expect(WordSplitting.none(" two  words. ") == ["two", "words."])
  }

  @Test("BLEU-1 to BLEU-4 of whole corpora")
  func scores() {
    for corpus in Self.expected.corpora {
      var bleu = BLEU()
      for (text, references) in zip(corpus.texts, corpus.references) {
        bleu.add(WordSplitting.mteval(text), references: references.map { WordSplitting.mteval($0) })
      }
      for order in 1...4 {
        #expect(abs(bleu.score(order: order) - corpus.scores[order - 1]) < 1e-9, "\(corpus.texts) \(order)")
      }
    }
    #expect(BLEU().score() == 0)
  }
}
