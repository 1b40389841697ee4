import AviaryLayers
import AviaryTensors
import AviaryVision

/// A network with one style of its own, from a picture `input` to `out` with values from 0 to 255.
protocol StylingNetwork: OnePassStylingNetwork, SizedNetwork {
  /// What the height and width of its result are multiples of.
  static var sideMultiple: Int { get }
  /// The shortest side it takes.
  static var smallestSide: Int { get }
}

extension StylingNetwork {
  func checkSides(of inputs: NamedTensors) throws(SignatureError) {
    let shape = inputs["input"].shape
    guard shape[2...].contains(where: { $0 < Self.smallestSide }) else { return }
    throw SignatureError(
      name: "input", given: shape.shapeText, expected: "heights and widths from \(Self.smallestSide)")
  }

  func styler(_ preprocessing: Preprocessing) -> @Sendable (SharedNetwork) -> any PictureStyler {
    let (multiple, smallest) = (Self.sideMultiple, Self.smallestSide)
    return {
      OwnStyle(
        network: $0, pictures: PictureInput(preprocessing), sideMultiple: multiple, smallestSide: smallest)
    }
  }
}

/// Pictures through a network with one style of its own.
struct OwnStyle: PictureStyler {
  let takesStyles = false
  let range: ClosedRange<Float> = 0...255
  let network: SharedNetwork
  let pictures: PictureInput
  let sideMultiple: Int
  let smallestSide: Int

  func styled(_ image: Image, named name: String, _ styles: [Stylizer.Style], alpha: Float) throws -> Tensor {
    let picture = try pictures.input(image, named: name)
    return network(picture.enlarged(to: sideMultiple, atLeast: smallestSide))
      .sliced(2, 0..<image.height).sliced(3, 0..<image.width)
  }

  func copy() -> OwnStyle {
    OwnStyle(
      network: network.copy(), pictures: pictures, sideMultiple: sideMultiple, smallestSide: smallestSide)
  }
}

extension Tensor {
  /// N×C×H×W with its last row and column repeated until height and width are multiples of `multiple`, and no less than `smallest`.
  func enlarged(to multiple: Int, atLeast smallest: Int) -> Tensor {
    func missing(_ length: Int) -> Int {
      (max(length, smallest) + multiple - 1) / multiple * multiple - length
    }
    let padding = Padding(before: [0, 0], after: [missing(shape[2]), missing(shape[3])])
    return padded(spatially: padding, .replicate)
  }
}
