import AviaryTensors
import CZlib
import Foundation

/// Pictures one after another in a PNG file that browsers play (Animated PNG, W3C's PNG specification, third edition, section 11.3.6); other
/// programs show the first one.
public struct AnimatedPNG: Sendable {
  /// One picture of the sequence.
  public struct Frame: Sendable {
    /// As large as the others, of the same colour model.
    public let image: Image
    /// How long it is shown, from 0 to 65 535.
    public let milliseconds: Int

    /// A picture, shown for some time.
    public init(_ image: Image, milliseconds: Int) {
      self.image = image
      self.milliseconds = milliseconds
    }
  }

  private let frames: [Frame]
  private let plays: Int

  /// - Parameters:
  ///   - frames: at least one, all of one size and colour model.
  ///   - plays: how often the sequence is shown; 0 for ever.
  public init(_ frames: [Frame], plays: Int = 0) {
    require(!frames.isEmpty, "an animation of no pictures")
    let first = frames[0].image
    require(
      frames.allSatisfy {
        $0.image.width == first.width && $0.image.height == first.height && $0.image.model == first.model
          && 0...65_535 ~= $0.milliseconds
      }, "an animation has pictures of one size and model, each shown for at most 65 535 ms")
    self.frames = frames
    self.plays = plays
  }

  /// Writes the file, complete or not at all; throws ``ImageError``.
  public func write(to path: String) throws(ImageError) {
    let bytes = try fileBytes(named: path)
    do {
      try Data(bytes).write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw ImageError(file: path, .unwritable(error.systemReason))
    }
  }

  /// The bytes of the file; `name` is what ``ImageError`` calls it.
  public func fileBytes(named name: String = "the animation") throws(ImageError) -> [UInt8] {
    var file: [UInt8] = []
    // Control chunks and data chunks of all frames are counted together.
    var sequence: UInt32 = 0
    for (index, frame) in frames.enumerated() {
      let still = try frame.image.fileBytes(named: name)
      let chunks = Self.chunks(of: still)
      if index == 0 {
        file += still[..<Self.signatureLength]
        for chunk in chunks where chunk.type == "IHDR" { Self.append("IHDR", chunk.data, to: &file) }
        Self.append("acTL", Self.bytes(UInt32(frames.count)) + Self.bytes(UInt32(plays)), to: &file)
      }
      Self.append("fcTL", Self.bytes(sequence) + control(frame), to: &file)
      sequence += 1
      for chunk in chunks where chunk.type == "IDAT" {
        if index == 0 {
          Self.append("IDAT", chunk.data, to: &file)
        } else {
          Self.append("fdAT", Self.bytes(sequence) + chunk.data, to: &file)
          sequence += 1
        }
      }
    }
    Self.append("IEND", [], to: &file)
    return file
  }

  /// Size, place, delay in thousandths (3·256 + 232); the next frame is drawn over this one, which is replaced as a whole.
  private func control(_ frame: Frame) -> [UInt8] {
    let delay = UInt16(frame.milliseconds)
    return Self.bytes(UInt32(frame.image.width)) + Self.bytes(UInt32(frame.image.height)) + Self.bytes(0)
      + Self.bytes(0) + [UInt8(delay >> 8), UInt8(delay & 255), 3, 232, 0, 0]
  }

  private static let signatureLength = 8

  /// The parts of a file of our own encoder.
  private static func chunks(of file: [UInt8]) -> [(type: String, data: ArraySlice<UInt8>)] {
    var result: [(type: String, data: ArraySlice<UInt8>)] = []
    var place = signatureLength
    while place + 12 <= file.count {
      let length = file[place..<place + 4].reduce(0) { $0 << 8 | Int($1) }
      let type = String(decoding: file[place + 4..<place + 8], as: UTF8.self)
      result.append((type, file[place + 8..<place + 8 + length]))
      place += 12 + length
    }
    return result
  }

  private static func bytes(_ number: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * UInt32($0))) }
  }

  /// Length, type, data, and the check sum of the last two.
  private static func append(_ type: String, _ data: some Collection<UInt8>, to file: inout [UInt8]) {
    let content = Array(type.utf8) + Array(data)
    file += bytes(UInt32(data.count)) + content
    file += bytes(UInt32(crc32(0, content, UInt32(content.count))))
  }
}
