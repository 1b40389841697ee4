import AviaryTensors
import AviaryVision
import Foundation
import Testing

@Suite("Boxes, masks and labels in step with the picture")
struct AnnotatedPictureTests {
  /// 6×4 pixels of their own values; one object of 2×2 pixels at (1, 1).
  private var picture: AnnotatedPicture {
    let inside = (0..<24).map { (1...2).contains($0 % 6) && (1...2).contains($0 / 6) }
    return AnnotatedPicture(
      image: Image(width: 6, height: 4, model: .grey, pixels: (0..<24).map { UInt8($0) }),
      instances: [
        Instance(
          box: Box(x1: 1, y1: 1, x2: 3, y2: 3), labelIndex: 4,
          mask: Mask(width: 6, height: 4, pixels: inside)),
        Instance(box: Box(x1: 3.5, y1: 0, x2: 6, y2: 2), labelIndex: 2),
      ], labelMap: LabelMap(width: 6, height: 4, labels: inside.map { $0 ? 5 : 0 }),
      captions: ["a cat left of a dog"])
  }

  @Test("flips move boxes exactly, and twice is nothing")
  func flips() {
    let flipped = picture.flippedHorizontally
    #expect(
      flipped.instances.map(\.box) == [Box(x1: 3, y1: 1, x2: 5, y2: 3), Box(x1: 0, y1: 0, x2: 2.5, y2: 2)])
    #expect(flipped.instances[0].mask?.box == flipped.instances[0].box)
    #expect(flipped.labelMap?[3, 1] == 5 && flipped.labelMap?[2, 1] == 0)
    #expect(flipped.image[0, 0] == 5)
    #expect(flipped.captions == ["a cat right of a dog"])
    #expect(flipped.flippedHorizontally == picture)
    let upside = picture.flippedVertically
    #expect(upside.instances[1].box == Box(x1: 3.5, y1: 2, x2: 6, y2: 4))
    #expect(upside.image[0, 0] == 18 && upside.flippedVertically == picture)
  }

  @Test("a crop moves what lies inside, cuts what does not, and drops what has too little left")
  func crops() {
    let cut = picture.cropped(x: 2, y: 0, width: 4, height: 4)
    #expect(cut.instances.map(\.box) == [Box(x1: 0, y1: 1, x2: 1, y2: 3), Box(x1: 1.5, y1: 0, x2: 4, y2: 2)])
    #expect(cut.instances[0].mask?.area == 2)
    #expect(cut.labelMap?[0, 1] == 5 && cut.image[0, 0] == 2)
    // Half of the first is left, all of the second.
    #expect(
      picture.cropped(x: 2, y: 0, width: 4, height: 4, keptShare: 0.6).instances.map(\.labelIndex) == [2])
    // Nothing of the first, half a column of 2.5 of the second: a fifth.
    #expect(picture.cropped(x: 3, y: 0, width: 1, height: 4).instances.map(\.labelIndex) == [2])
    #expect(picture.cropped(x: 3, y: 0, width: 1, height: 4, keptShare: 0.21).instances.isEmpty)
    let wide = picture.cropped(x: -1, y: -1, width: 8, height: 6)
    #expect(wide.labelMap?[0, 0] == LabelMap.ignored && wide.image[0, 0] == 0 && wide.instances.count == 2)
  }

  @Test("a resize scales boxes, labels and masks take the nearest pixel")
  func resize() {
    let large = picture.resized(width: 12, height: 12)
    #expect(large.instances[0].box == Box(x1: 2, y1: 3, x2: 6, y2: 9))
    #expect(large.instances[0].mask?.box == large.instances[0].box)
    #expect(large.labelMap?.counts[5] == 4 * 6)
    #expect(picture.resized(width: 6, height: 4) == picture)
  }

  @Test("a map gives a box the hull of its corners, a mask its own")
  func affine() throws {
    let quarter = AffineMap.rotationInverse(degrees: 90, centre: (3, 2))
    let turned = picture.transformed(by: quarter)
    // Counter-clockwise about (3, 2): (x, y) goes to (1 + y, 5 − x).
    let boxes = turned.instances.map(\.box)
    #expect(boxes[0] == Box(x1: 2, y1: 2, x2: 4, y2: 4))
    #expect(turned.instances[0].mask?.box == boxes[0])
    // The second one's hull would be (1, −1, 3, 1.5): 60 % of it lie inside.
    #expect(abs(boxes[1].x1 - 1) < 1e-5 && boxes[1].y1 == 0 && abs(boxes[1].y2 - 1.5) < 1e-5)
    let inverse = AffineMap.inverse(
      degrees: 30, translation: (2, 1), scale: 1.3, shear: (5, 3), centre: (3, 2))
    let there = inverse.inverse(1.5, 2.5)
    let back = inverse(there.x, there.y)
    #expect(abs(back.x - 1.5) < 1e-12 && abs(back.y - 2.5) < 1e-12)
    let hull = Box(x1: 0, y1: 0, x2: 2, y2: 2).hull(after: .rotationInverse(degrees: 45, centre: (1, 1)))
    #expect(abs(hull.width - 2 * 2.0.squareRootFloat) < 1e-5)
  }

  @Test("framing moves boxes as it moves pixels")
  func framing() {
    let frame = Preprocessing(resize: .shortSide(8), crop: 8)
    let framed = frame.framed(picture)
    // Twice as large, then 8 of 12 columns from the third on.
    #expect(framed.image == frame.framed(picture.image))
    #expect(framed.instances[0].box == Box(x1: 0, y1: 2, x2: 4, y2: 6))
    #expect(framed.labelMap?.width == 8)
  }

  private static let all: Augmentation = {
    var affine = RandomAffine(degrees: 20)
    affine.translation = [0.1, 0.1]
    affine.scale = 0.8...1.2
    affine.shear = [5, 5]
    return .sequence([
      .horizontalFlip(probability: 0.5), .verticalFlip(probability: 0.5), .affine(affine),
      .colourJitter(ColourJitter(brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1)),
      .randAugment(RandAugment()), .erasing(RandomErasing()),
      .resizedCrop(RandomResizedCrop(width: 40, height: 30)),
      .crop(RandomCrop(width: 32, height: 32, padding: 2)),
    ])
  }()

  @Test("the same stream gives the same change, another one another; recipes survive JSON")
  func determinism() throws {
    let scene = SceneGenerator(width: 48, height: 48).picture(3)
    let data = try JSONEncoder().encode(Self.all)
    let decoded = try JSONDecoder().decode(Augmentation.self, from: data)
    #expect(decoded == Self.all)
    let once = Self.all(scene, using: RandomGenerator(seed: 1, path: 2, 3))
    #expect(decoded(scene, using: RandomGenerator(seed: 1, path: 2, 3)) == once)
    #expect(Self.all(scene, using: RandomGenerator(seed: 1, path: 2, 4)).image != once.image)
    #expect(once.image.width == 32 && once.image.height == 32)
  }

  @Test("numbers that make no change are named before they are used")
  func problems() throws {
    #expect(Self.all.problem == nil && Augmentation.imageNet().problem == nil)
    #expect(
      Augmentation.sequence([.cifar, .horizontalFlip(probability: 2)]).problem?.contains("2.0") == true)
    #expect(Augmentation.resize(width: 0, height: 5).problem != nil)
    let damaged = [
      #"{"crop": {"_0": {"width": -1, "height": 5, "padding": 0}}}"#,
      #"{"colourJitter": {"_0": {"brightness": 0, "contrast": -1, "saturation": 0, "hue": 0}}}"#,
      #"{"colourJitter": {"_0": {"brightness": 0, "contrast": 0, "saturation": 0, "hue": 0.7}}}"#,
      #"{"randAugment": {"_0": {"changes": 2, "magnitude": 40, "bins": 31, "interpolation": "nearest", "fill": 0}}}"#,
      #"{"randAugment": {"_0": {"changes": 2, "magnitude": 4, "bins": 31, "interpolation": "lanczos", "fill": 0}}}"#,
    ]
    for text in damaged {
      let augmentation = try JSONDecoder().decode(Augmentation.self, from: Data(text.utf8))
      #expect(augmentation.problem != nil, "\(text)")
    }
  }

  @Test("after any change, masks have boxes around them, and labels agree with masks")
  func inStep() {
    let generator = SceneGenerator(width: 48, height: 40)
    for index in 0..<40 {
      let result = Self.all(generator.picture(index), using: RandomGenerator(seed: 5, path: UInt64(index)))
      for instance in result.instances {
        #expect(instance.box == instance.box.clipped(width: 32, height: 32) && instance.box.area > 0)
        let mask = instance.mask!
        for (place, isInside) in mask.pixels.enumerated() where isInside {
          #expect(result.labelMap!.labels[place] == UInt8(instance.labelIndex + 1))
        }
      }
    }
  }

  @Test("random-resized crops have torchvision's shares and proportions")
  func resizedCrops() {
    // A gradient along x tells how wide the crop was.
    let picture = AnnotatedPicture(
      image: Image(width: 200, height: 100, model: .grey, pixels: (0..<20000).map { UInt8($0 % 200) }))
    var widths: [Int] = []
    for index in 0..<200 {
      let crop = Augmentation.resizedCrop(RandomResizedCrop(width: 50, height: 50))(
        picture, using: RandomGenerator(seed: 7, path: UInt64(index)))
      widths.append(Int(crop.image[49, 0]) - Int(crop.image[0, 0]))
    }
    #expect(widths.min()! >= 30 && widths.max()! <= 134 && Set(widths).count > 40)
  }
}

extension Double {
  fileprivate var squareRootFloat: Float { Float(squareRoot()) }
}
