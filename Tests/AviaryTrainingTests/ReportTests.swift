import Foundation
import Testing

@testable import AviaryTraining

@Suite("What is written about runs")
struct ReportTests {
  private func report(_ epoch: Int, loss: Float, accuracy: Float?) -> EpochReport {
    EpochReport(
      epoch: epoch, training: Evaluation(loss: loss, count: 10, metrics: ["accuracy": 0.5]),
      validation: accuracy.map { Evaluation(loss: loss + 0.1, count: 5, metrics: ["accuracy": $0]) },
      learningRate: 0.1, seconds: 2, secondsWaited: 0)
  }

  @Test("a page with curves, matrix and pictures, and nothing that a name could break or that is fetched")
  func page() {
    var matrix = ConfusionMatrix(classNames: ["<b>cat", "dog"])
    matrix.add(class: 0, predicted: 1)
    matrix.add(class: 1, predicted: 1)
    var page = TrainingReport(
      title: "a & b", facts: [("seed", "1 < 2")],
      runs: [
        .init("tuned", [report(1, loss: 1, accuracy: 0.5), report(2, loss: 0.5, accuracy: 0.8)]),
        .init("from scratch", [report(1, loss: 2, accuracy: nil)]),
      ], confusion: matrix)
    page.worst = [.init(png: [1, 2, 3], label: "<b>cat", predicted: "dog", probability: 0.125)]
    let html = page.html
    for part in [
      "a &amp; b", "1 &lt; 2", "<polyline", "tuned: validation", "from scratch: training", "stroke-dasharray",
      "&lt;b&gt;cat, taken for dog", "data:image/png;base64,AQID", "12.5 %", "1 of 2 right",
    ] { #expect(html.contains(part), "\(part)") }
    #expect(!html.contains("<b>cat") && !html.contains("http") && !html.contains("<script"))
    #expect(!page.html.contains("Most certain"))
  }

  @Test("ticks are round numbers around the values")
  func ticks() {
    #expect(Chart.ticks(0.13, 1.02).map { ($0 * 10).rounded() / 10 } == [0, 0.2, 0.4, 0.6, 0.8, 1, 1.2])
    #expect(Chart.ticks(3, 3) == [3])
    #expect(Chart.ticks(0, 100).first == 0 && Chart.ticks(0, 100).last == 100)
  }

  @Test("checksums of records are CRC-32C, masked")
  func checksum() {
    #expect(EventRecord.crc32c(Array("123456789".utf8)) == 0xE306_9283)
    #expect(EventRecord.crc32c(Array(repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(EventRecord.masked([]) == 0xA282_EAD8)
  }

  @Test("an event file has a version and scalars, record after record; a run that goes on begins another")
  func events() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "events-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let file = try EventFile(in: folder)
    try file.write([("loss", 0.5), ("accuracy", 0.25)], step: 300)
    let other = try EventFile(in: folder)
    #expect(other.path != file.path && file.path.contains("events.out.tfevents."))
    var rest = Array(try Data(contentsOf: URL(filePath: file.path)))[...]
    var events: [[UInt8]] = []
    while !rest.isEmpty {
      let length = Int(rest.prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) })
      #expect(EventRecord(Array(rest.dropFirst(12).prefix(length))).bytes == Array(rest.prefix(length + 16)))
      events.append(Array(rest.dropFirst(12).prefix(length)))
      rest = rest.dropFirst(length + 16)
    }
    #expect(events.count == 2)
    // Step 0 is written out; the version is field 3.
    #expect(events[0].suffix(17) == [0x10, 0, 0x1A, 13] + Array("brain.Event:2".utf8))
    // Step 300 as a varint, the summary (field 5) with two values, each a tag and a float.
    let loss: [UInt8] = [0x0A, 11, 0x0A, 4] + Array("loss".utf8) + [0x15, 0, 0, 0, 0x3F]
    let accuracy: [UInt8] = [0x0A, 15, 0x0A, 8] + Array("accuracy".utf8) + [0x15, 0, 0, 0x80, 0x3E]
    #expect(events[1].dropFirst(9) == ([0x10, 0xAC, 0x02, 0x2A, 30] + loss + accuracy)[...])
  }
}
