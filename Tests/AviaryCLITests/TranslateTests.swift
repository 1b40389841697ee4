import Aviary
import Foundation
import Testing

@testable import AviaryCLI

@Suite("Translation from the command line")
struct TranslateTests {
  private func answer(_ words: String...) -> String {
    let outcome = aviary(["translate", "translate_dates"] + words)
    #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
    return outcome.output
  }

  @Test("dates in many forms, as text, as JSON and with a picture of where the network looked")
  func dates() throws {
    #expect(answer("3 May 1998", "May 3rd, 98", "Sunday 3.5.1998") == "1998-05-03\n1998-05-03\n1998-05-03")
    #expect(answer("5/3/98", "--beam", "4", "--normalize") == "1998-05-03")
    try withTemporaryFolder { folder in
      let drawing = "\(folder)/looks.png"
      #expect(answer("12 DECEMBER 2031", "--attention", drawing) == "2031-12-12")
      let picture = try Image(contentsOf: drawing)
      #expect(picture.width == 16 + 16 * 20 + 2 && picture.height == 20 + 2 + 11 * 20 + 2)
      #expect(Set(picture.pixels).count > 20)
    }
    let json =
      try JSONSerialization.jsonObject(with: Data(answer("3 May 1998", "--json").utf8)) as? [[String: Any]]
    #expect(json?.first?["translation"] as? String == "1998-05-03")
    #expect(json?.first?["is_complete"] as? Bool == true && json?.first?["text"] as? String == "3 May 1998")
  }

  @Test("days that were not learned are right, as the card says, and without attention fewer were")
  func card() throws {
    let translator = try Zoo.load(Translator.self, "translate_dates")
    let dates = WrittenDates(.test, count: 200, seed: 7)
    let right = try (0..<dates.count).count { index in
      let (text, date) = dates.example(index)
      return try translator.translate(text).text == date
    }
    #expect(right >= 198)
    let metrics = try #require(try Catalogue.entry("translate_dates").card().weights[0].metrics)
    let exact = try #require(metrics["exact"])
    #expect(exact >= 0.98 && exact - (metrics["exact_without_attention"] ?? 1) > 0.05)
  }

  @Test("what cannot be translated, drawn or asked for is told in a sentence")
  func refused() throws {
    func sentence(_ words: String...) -> String {
      let outcome = aviary(words)
      #expect(outcome.status != 0 && !outcome.errors.contains("\n"), "\(outcome.errors)")
      return outcome.errors
    }
    // It says something of everything, and that it is sure of little.
    #expect(aviary("translate", "translate_dates", "hello").errors.contains("'hello': a guess"))
    #expect(aviary("translate", "translate_dates", "3 May 1998").errors.isEmpty)
    #expect(sentence("translate", "translate_dates", "3 Mai ü").contains("lacks \"ü\""))
    #expect(sentence("translate", "translate_dates", "3 May 1998", "ü").contains("'ü': the vocabulary lacks"))
    #expect(
      sentence("translate", "translate_dates", String(repeating: "3", count: 40)).contains("40 characters"))
    #expect(sentence("translate", "translate_dates").contains("usage"))
    #expect(sentence("translate", "translate_dates", "").contains("empty"))
    #expect(sentence("translate", "lenet", "x").contains("aviary predict"))
    #expect(sentence("write", "translate_dates", "--prompt", "x").contains("aviary translate"))
    #expect(
      sentence("translate", "translate_dates", "1.1.98", "2.1.98", "--attention", "a.png").contains(
        "one text"))
    #expect(
      sentence("translate", "translate_dates", "1.1.98", "--attention", "a.gif").contains(".png or .jpg"))
    #expect(
      sentence("train", "translate_dates", "--data", "x", "--output", "a.safetensors").contains("makes up"))
  }
}
