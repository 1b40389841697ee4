import AviaryTensors
import Foundation
import Testing

@testable import AviaryTraining

@Suite("Texts to learn from")
struct TextDataTests {
  @Test("streams go on where they ended, and each token but the first is a target once")
  func streams() throws {
    let tokens = Array(0..<103)
    let data = try TextStreams(tokens, streams: 4, length: 5)
    #expect(data.pieces == 5 && data.count == 20 && data.leftOver == 2)
    var targets: [[Int64]] = Array(repeating: [], count: 4)
    for piece in 0..<data.pieces {
      let batch = data.batch(Array(piece * 4..<piece * 4 + 4))
      #expect(batch.isBeginning == (piece == 0) && batch.tokens.shape == [4, 5])
      #expect(
        zip(batch.tokens.values(of: Int64.self), batch.targets.values(of: Int64.self)).allSatisfy {
          $0 + 1 == $1
        })
      for row in 0..<4 { targets[row] += batch.targets.selected(0, row).values(of: Int64.self) }
    }
    #expect(targets.flatMap(\.self) == (1...100).map { Int64($0) })
    #expect(throws: ShortText(count: 20, least: 21)) { try TextStreams(Array(0..<20), streams: 4, length: 5) }
  }

  @Test("windows of an epoch are shifted alike, and stay within the text")
  func windows() throws {
    let data = try TextWindows(Array(0..<48), length: 9)
    #expect(data.count == 5 && data.leftOver == 2)
    #expect(data.batch([4]).targets.values(of: Int64.self) == (37...45).map { Int64($0) })
    var shifts = Set<Int64>()
    for epoch in 0..<30 {
      let batch = data.batch([0, 4], epoch: epoch, seed: 3)
      let firsts = [0, 1].map { batch.tokens.selected(0, $0).values(of: Int64.self)[0] }
      #expect(firsts[1] == firsts[0] + 36 && batch.isBeginning)
      shifts.insert(firsts[0])
    }
    #expect(shifts == [0, 1, 2])
    #expect(try TextWindows(Array(0..<10), length: 9).batch([0], epoch: 4, seed: 1).tokens.shape == [1, 9])
    #expect(throws: ShortText.self) { try TextWindows(Array(0..<9), length: 9) }
  }

  @Test("a file of text is UTF-8, or is refused by name")
  func files() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "text-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    func text(_ bytes: [UInt8]) throws -> String {
      let file = folder.appending(path: "a.txt")
      try Data(bytes).write(to: file)
      return try TextFile.text(contentsOf: file.path(percentEncoded: false))
    }
    #expect(try text(Array("schön\r\n".utf8)) == "schön\r\n")
    #expect(try text([0xEF, 0xBB, 0xBF, 0x61]) == "a")
    let broken: [([UInt8], String)] = [([], "no text"), ([0x61, 0xFF], "UTF-8"), ([0xE2, 0x82], "UTF-8")]
    for (bytes, words) in broken {
      let error = #expect(throws: DataFile.Failure.self) { try text(bytes) }
      #expect(error?.description.contains("a.txt: ") == true && error?.reason.contains(words) == true)
    }
    #expect(throws: DataFile.Failure.self) { try TextFile.text(contentsOf: "/none") }
  }

  @Test("dates are right, of one part alone, as their seed has them, and of known characters")
  func dates() throws {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.timeZone = TimeZone(identifier: "UTC")
    formatter.dateFormat = "yyyy-MM-dd EEEE"
    var known: [WrittenDates.Part: Set<String>] = [:]
    for part in WrittenDates.Part.allCases {
      let data = WrittenDates(part, count: 2000, seed: 5)
      for index in 0..<data.count {
        let (text, date) = data.example(index)
        known[part, default: []].insert(date)
        #expect(date.count == 10 && "1950-01-01"..."2049-12-31" ~= date && text.count <= WrittenDates.longest)
        #expect(Set(text.map { String($0) }).isSubset(of: WrittenDates.characters), "\(text)")
        #expect(Set(date.map { String($0) }).isSubset(of: WrittenDates.isoCharacters))
        // The year's last digits and the day are in every form.
        #expect(text.contains(date.dropFirst(2).prefix(2)) && text.contains("\(Int(date.suffix(2)) ?? 0)"))
        if let name = ["Mon", "Tues", "Wednes", "Thurs", "Fri", "Satur", "Sun"].first(where: {
          text.hasPrefix($0 + "day")
        }) {
          #expect(formatter.date(from: "\(date) \(name)day").map(formatter.string) == "\(date) \(name)day")
        }
      }
      #expect((0..<50).allSatisfy { data.example($0) == WrittenDates(part, count: 50, seed: 5).example($0) })
      #expect((0..<50).contains { data.example($0) != WrittenDates(part, count: 50, seed: 6).example($0) })
    }
    #expect(known[.test]!.isDisjoint(with: known[.training]!.union(known[.validation]!)))
    #expect(known[.validation]!.isDisjoint(with: known[.training]!))
    let data = WrittenDates(.training, count: 8)
    #expect(data.batch([1, 2], epoch: 1, seed: 0).sources != data.batch([1, 2], epoch: 2, seed: 0).sources)
  }
}
