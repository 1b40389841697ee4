import AviaryTensors

/// Why runs or polygons make no mask.
public struct MaskError: Error, Equatable, CustomStringConvertible {
  /// What was given and expected.
  public let description: String

  init(_ description: String) { self.description = description }
}

extension Mask {
  /// A mask from COCO's run lengths: how many pixels are outside, inside, outside, …, column by column. Throws ``MaskError`` unless they add
  /// up to all pixels.
  public init(runLengths: [Int], width: Int, height: Int) throws(MaskError) {
    require(width > 0 && height > 0, "a mask of \(width)×\(height) pixels has none")
    var pixels = [Bool](repeating: false, count: width * height)
    var (start, isInside) = (0, false)
    for count in runLengths {
      guard count >= 0, count <= pixels.count - start else {
        throw MaskError(
          "a run of \(count) pixels after \(start), of \(width)×\(height) altogether")
      }
      if isInside {
        for place in start..<start + count { pixels[place % height * width + place / height] = true }
      }
      start += count
      isInside.toggle()
    }
    guard start == pixels.count else {
      throw MaskError("runs of \(start) pixels altogether for a mask of \(width)×\(height)")
    }
    self.init(width: width, height: height, pixels: pixels)
  }

  /// A mask from COCO's compressed run lengths: five bits per letter from `0` on, the lowest first, each number from the third on without
  /// what the one two before had. Throws ``MaskError``.
  public init(compressedRunLengths text: String, width: Int, height: Int) throws(MaskError) {
    var runs: [Int] = []
    var (value, shift) = (0, 0)
    for letter in text.utf8 {
      // 32 bits hold every run of a picture that is read.
      guard (48..<112).contains(letter), shift <= 30 else {
        throw MaskError("the letter \(letter) at run \(runs.count) is none of compressed run lengths")
      }
      let bits = Int(letter) - 48
      value |= (bits & 31) << shift
      shift += 5
      guard bits & 32 == 0 else { continue }
      if bits & 16 != 0 { value |= -1 << shift }
      runs.append(runs.count > 2 ? value + runs[runs.count - 2] : value)
      (value, shift) = (0, 0)
    }
    guard shift == 0 else { throw MaskError("compressed run lengths end within number \(runs.count)") }
    try self.init(runLengths: runs, width: width, height: height)
  }

  /// COCO's run lengths of the mask, column by column, beginning with the pixels outside.
  public var runLengths: [Int] {
    var runs = [0]
    var isInside = false
    for x in 0..<width {
      for y in 0..<height {
        if pixels[y * width + x] != isInside {
          runs.append(0)
          isInside.toggle()
        }
        runs[runs.count - 1] += 1
      }
    }
    return runs
  }
}

extension Mask {
  /// COCO's compressed run lengths of the mask, as ``init(compressedRunLengths:width:height:)`` reads them.
  public var compressedRunLengths: String {
    let runs = runLengths
    var letters: [UInt8] = []
    for (place, run) in runs.enumerated() {
      var rest = place > 2 ? run - runs[place - 2] : run
      var isOver = false
      while !isOver {
        let bits = rest & 31
        rest >>= 5
        // The sign is the highest of the last five bits.
        isOver = bits & 16 != 0 ? rest == -1 : rest == 0
        letters.append(UInt8(bits + (isOver ? 0 : 32) + 48))
      }
    }
    return String(decoding: letters, as: UTF8.self)
  }
}

/// As COCO's results have it: `size`, the height and the width, and `counts`, the compressed run lengths.
extension Mask: Codable {
  private enum CodingKeys: CodingKey { case size, counts }

  /// Throws ``MaskError`` unless the run lengths fill the size.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    let size = try container.decode([Int].self, forKey: .size)
    guard size.count == 2, size.allSatisfy({ 1...1 << 20 ~= $0 }),
      size[0] * size[1] <= Image.maximumPixelCount
    else { throw MaskError("a mask of \(size) pixels") }
    try self.init(
      compressedRunLengths: try container.decode(String.self, forKey: .counts), width: size[1],
      height: size[0])
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode([height, width], forKey: .size)
    try container.encode(compressedRunLengths, forKey: .counts)
  }
}
