import Foundation

/// A file of events that TensorBoard reads: scalars by name and step, one record after another.
///
/// A record is a length, the event as a protocol buffer, and a CRC-32C of both; what is cut off at the end is left out by readers. A run that
/// goes on begins another file in the same folder.
public final class EventFile {
  /// Where the file is.
  public let path: String
  private let handle: FileHandle

  /// Begins a new file in a folder, which is made where there is none.
  ///
  /// - Throws: a Foundation error when it cannot be written.
  public init(in folder: String) throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let now = Date().timeIntervalSince1970
    var candidate = Self.name(now, 0)
    var number = 0
    while FileManager.default.fileExists(atPath: "\(folder)/\(candidate)") {
      number += 1
      candidate = Self.name(now, number)
    }
    path = "\(folder)/\(candidate)"
    try Data().write(to: URL(filePath: path), options: .withoutOverwriting)
    handle = try FileHandle(forWritingTo: URL(filePath: path))
    try write(Event(time: now, step: 0, content: .version))
  }

  deinit { try? handle.close() }

  /// TensorBoard takes files with this word in their names, in the order of the seconds behind it.
  private static func name(_ time: Double, _ number: Int) -> String {
    "events.out.tfevents.\(Int(time)).\(ProcessInfo.processInfo.processIdentifier).\(number)"
  }

  /// Writes numbers of one step, which is seen at once by who reads the file meanwhile.
  ///
  /// - Throws: a Foundation error when the file cannot be written.
  public func write(_ scalars: [(name: String, value: Float)], step: Int) throws {
    try write(Event(time: Date().timeIntervalSince1970, step: step, content: .scalars(scalars)))
  }

  private func write(_ event: Event) throws {
    let record = EventRecord(event.bytes).bytes
    try handle.write(contentsOf: Data(record))
  }
}

/// TensorFlow's `Event`, of which the fields for scalars are written.
struct Event {
  enum Content {
    case version
    case scalars([(name: String, value: Float)])
  }

  let time: Double
  let step: Int
  let content: Content

  /// As a protocol buffer (TensorFlow's `event.proto` and `summary.proto`).
  var bytes: [UInt8] {
    var message = ProtocolBuffer()
    message.add(1, time)
    message.add(2, step)
    switch content {
    case .version: message.add(3, Array("brain.Event:2".utf8))
    case .scalars(let scalars):
      var summary = ProtocolBuffer()
      for (name, value) in scalars {
        var entry = ProtocolBuffer()
        entry.add(1, Array(name.utf8))
        entry.add(2, value)
        summary.add(1, entry.bytes)
      }
      message.add(5, summary.bytes)
    }
    return message.bytes
  }
}

/// Fields of a protocol buffer message, written one after another.
private struct ProtocolBuffer {
  private(set) var bytes: [UInt8] = []

  private enum Wire: UInt64 {
    case varint = 0
    case fixed64 = 1
    case bytes = 2
    case fixed32 = 5
  }

  mutating func add(_ field: UInt64, _ value: Int) {
    begin(field, .varint)
    add(varint: UInt64(bitPattern: Int64(value)))
  }

  mutating func add(_ field: UInt64, _ value: Double) {
    begin(field, .fixed64)
    bytes += value.bitPattern.littleEndianBytes
  }

  mutating func add(_ field: UInt64, _ value: Float) {
    begin(field, .fixed32)
    bytes += value.bitPattern.littleEndianBytes
  }

  mutating func add(_ field: UInt64, _ content: [UInt8]) {
    begin(field, .bytes)
    add(varint: UInt64(content.count))
    bytes += content
  }

  private mutating func begin(_ field: UInt64, _ wire: Wire) { add(varint: field << 3 | wire.rawValue) }

  /// Seven bits a byte, the lowest first; the highest bit says that more follow.
  private mutating func add(varint value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(rest & 0x7F) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }
}

extension FixedWidthInteger {
  /// The lowest byte first.
  var littleEndianBytes: [UInt8] { withUnsafeBytes(of: littleEndian) { Array($0) } }
}
