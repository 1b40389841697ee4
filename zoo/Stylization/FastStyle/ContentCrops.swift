import AviaryTensors
import AviaryTraining
import AviaryVision

/// Square pieces of photographs, which a network learns to paint over: of each picture four corners, and their mirror images.
public struct ContentCrops: TrainingData {
  private let pictures: [Image]
  private let side: Int

  /// Pieces of a picture.
  private static let pieces = 8

  /// - Parameters:
  ///   - paths: of the pictures, which are kept in memory at about the size of the pieces.
  ///   - side: of the pieces, in pixels.
  /// - Throws: `ImageError`.
  public init(_ paths: [String], side: Int) throws {
    self.side = side
    pictures = try paths.map { path in
      let resize = Preprocessing(resize: .shortSide(side * 5 / 4), channels: .rgb)
      return resize.framed(try Image(contentsOf: path))
    }
  }

  public var count: Int { Self.pieces * pictures.count }

  public func batch(_ indices: [Int]) -> Tensor {
    concatenate(
      indices.map { index in
        let picture = pictures[index / Self.pieces]
        let x = index % 2 == 0 ? 0 : picture.width - side
        let y = index / 2 % 2 == 0 ? 0 : picture.height - side
        let piece = Preprocessing(channels: .rgb, divisor: 1)(
          picture.cropped(x: x, y: y, width: side, height: side))
        return index / 4 % 2 == 0 ? piece : piece.flipped(3)
      }, axis: 0)
  }
}
