import AviaryTensors
import AviaryVision

/// How pictures become a network's input, checked before memory is taken: what a file says of pictures need not suit its network.
public struct PictureInput: Sendable {
  private let preprocessing: Preprocessing
  /// The network's own height and width; 0 where it has none, and takes all.
  private let height: Int
  private let width: Int
  private let smallestSide: Int?

  /// Pixels of the largest picture that a network of any size is fed, 2048×2048: what a file says takes no machine's memory.
  package static let mostPixels = 1 << 22
  /// How much longer than the network's picture a short side may be before the crop.
  private static let mostTimes = 4

  init(_ model: LoadedClassifier) {
    preprocessing = model.preprocessing
    (height, width) = (model.inputShape[1], model.inputShape[2])
    smallestSide = model.smallestSide
  }

  /// For a network that takes pictures of any size.
  init(_ preprocessing: Preprocessing) {
    self.preprocessing = preprocessing
    (height, width, smallestSide) = (0, 0, 1)
  }

  /// The network's input 1×C×H×W for a picture; throws ``UnsuitablePicture``.
  public func input(_ image: Image, named name: String) throws(UnsuitablePicture) -> Tensor {
    try check(width: image.width, height: image.height, named: name)
    return preprocessing(image)
  }

  /// Throws ``UnsuitablePicture`` when the preprocessing makes of no picture what the network takes.
  func checkSize() throws(UnsuitablePicture) {
    let isFixed = if case .exact = preprocessing.resize { true } else { preprocessing.crop != nil }
    if isFixed { try check(width: width, height: height, named: nil) }
  }

  private func check(width: Int, height: Int, named name: String?) throws(UnsuitablePicture) {
    let (resized, framed) = preprocessing.sizes(width: width, height: height)
    let fits =
      smallestSide.map { smallest in
        let (pixels, overflow) = framed.width.multipliedReportingOverflow(by: framed.height)
        return min(framed.width, framed.height) >= smallest && !overflow && pixels <= Self.mostPixels
      } ?? (framed == (self.width, self.height))
    // What is cut away has to be made first.
    let isCut = preprocessing.resize != .none && preprocessing.crop != nil
    let longest = Self.mostTimes * max(framed.width, framed.height)
    if fits && !(isCut && min(resized.width, resized.height) > longest) { return }
    let made = fits ? resized : framed
    let size = self.width > 0 ? "\(self.width)×\(self.height), or " : ""
    throw UnsuitablePicture(
      name: name, width: made.width, height: made.height,
      expected: smallestSide.map { "\(size)sides from \($0) and \(Self.mostPixels) pixels at most" }
        ?? "\(self.width)×\(self.height)")
  }
}

extension LoadedClassifier {
  /// How pictures become this network's input; throws ``UnsuitablePicture`` when none can.
  public func pictures() throws(UnsuitablePicture) -> PictureInput {
    let pictures = PictureInput(self)
    try pictures.checkSize()
    return pictures
  }
}

/// What the preprocessing makes of a picture does not fit the network.
public struct UnsuitablePicture: Error, CustomStringConvertible, Equatable {
  /// Of the picture; nil when it is so with all of them.
  public let name: String?
  /// Of what the preprocessing makes, in pixels.
  public let width: Int
  /// Of what the preprocessing makes, in pixels.
  public let height: Int
  /// The sizes that there can be, in words.
  public let expected: String
  public var description: String {
    (name.map { "\($0): " } ?? "")
      + "the preprocessing of these weights makes a picture of \(width)×\(height) pixels, but the network takes \(expected)"
  }
}
