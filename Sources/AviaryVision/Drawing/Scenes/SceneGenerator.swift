import AviaryTensors

/// Pictures of coloured, textured forms that may cover each other, with all that can be known of them, drawn by the library so that any
/// network can be trained without data.
///
/// Picture `i` of a seed is the same wherever and whenever it is drawn. Edges are hard on purpose: a pixel shows the uppermost object whose
/// form contains the pixel's centre, so that masks and labels are exact; nothing is half of two things.
public struct SceneGenerator: Sendable, Hashable, Codable {
  /// What objects are told apart by.
  public enum Classes: String, Sendable, Hashable, Codable {
    /// circle, square, …
    case shape
    /// red, green, …
    case colour
    /// red circle, red square, …, green circle, …
    case colourAndShape
  }

  /// What is behind the objects.
  public enum Background: String, Sendable, Hashable, Codable, CaseIterable {
    /// One dark colour.
    case plain
    /// From one dark colour to another, in some direction.
    case gradient
    /// A dark colour with noise.
    case noise
  }

  /// In pixels.
  public var width: Int
  /// In pixels.
  public var height: Int
  /// How many objects there are. There can be fewer where they would cover each other too much.
  public var objectCount: ClosedRange<Int> = 1...5
  /// Radii of the objects as shares of the shorter side.
  public var radius: ClosedRange<Float> = 0.12...0.28
  /// The share of an object, what lies outside of the picture included, that can be seen at least.
  public var minimumVisibility: Float = 0.3
  /// What objects are told apart by.
  public var classes = Classes.shape
  /// Forms that occur.
  public var shapes = SceneShape.allCases
  /// Colours that occur.
  public var colours = SceneColour.allCases
  /// Surfaces that occur.
  public var textures = SceneTexture.allCases
  /// Backgrounds that occur.
  public var backgrounds = Background.allCases

  /// Pictures of a size.
  public init(width: Int = 64, height: Int = 64) {
    require(width >= 8 && height >= 8, "\(width)×\(height) pixels are too few to draw something")
    self.width = width
    self.height = height
  }

  /// One large object in each picture, for classifiers.
  public static func singles(width: Int = 32, height: Int = 32, classes: Classes = .shape) -> SceneGenerator {
    var generator = SceneGenerator(width: width, height: height)
    generator.objectCount = 1...1
    generator.radius = 0.25...0.45
    generator.classes = classes
    return generator
  }

  /// One name per class, in the order of labels.
  public var classNames: [String] {
    switch classes {
    case .shape: shapes.map(\.rawValue)
    case .colour: colours.map(\.rawValue)
    case .colourAndShape:
      colours.flatMap { colour in shapes.map { "\(colour.rawValue) \($0.rawValue)" } }
    }
  }

  /// The class of an object.
  public func label(of object: SceneObject) -> Int {
    let shape = shapes.firstIndex(of: object.shape) ?? 0
    let colour = colours.firstIndex(of: object.colour) ?? 0
    return switch classes {
    case .shape: shape
    case .colour: colour
    case .colourAndShape: colour * shapes.count + shape
    }
  }

  /// The class of picture `index` of a seed, without drawing it; nil where pictures have several objects.
  public func label(_ index: Int, seed: UInt64 = 0) -> Int? {
    guard objectCount == 1...1 else { return nil }
    return label(of: object(using: stream(index, seed)))
  }

  /// Picture `index` of a seed: its objects, their boxes and masks as far as they can be seen, the classes of pixels (0 behind the objects,
  /// else an object's class plus 1) and a caption. It has a class itself where it has one object by design.
  public func picture(_ index: Int, seed: UInt64 = 0) -> AnnotatedPicture {
    let stream = stream(index, seed)
    // First, so that the class is known without the rest.
    let first = object(using: stream)
    let wanted = stream.integer(in: objectCount.lowerBound..<objectCount.upperBound + 1)
    var layers = SceneLayers(width: width, height: height, minimumVisibility: minimumVisibility)
    if wanted > 0 { layers.place(first) }
    for _ in 1..<max(wanted, 1) {
      // An object that covers too much of others, or is too much outside, tries again elsewhere.
      for _ in 0..<8 where layers.place(object(using: stream)) { break }
    }
    let background = backgrounds[stream.integer(in: 0..<backgrounds.count)]
    let image = layers.painted(on: background, using: stream)
    let instances = layers.visible.map { object, mask in
      Instance(box: mask.box!, labelIndex: label(of: object), mask: mask)
    }
    return AnnotatedPicture(
      image: image, label: objectCount == 1...1 ? label(of: first) : nil, instances: instances,
      labelMap: layers.labelMap { UInt8(label(of: $0) + 1) },
      captions: [SceneCaption.text(of: zip(layers.objects, instances).map { ($0, $1) })])
  }

  private func stream(_ index: Int, _ seed: UInt64) -> RandomGenerator {
    require(
      !shapes.isEmpty && !colours.isEmpty && !textures.isEmpty && !backgrounds.isEmpty && index >= 0
        && objectCount.lowerBound >= 0 && objectCount.upperBound < 255 && classNames.count < 255
        && radius.lowerBound > 0, "nothing to draw picture \(index) from, or too many objects or classes")
    return RandomGenerator(seed: seed, path: UInt64(index))
  }

  private func object(using stream: RandomGenerator) -> SceneObject {
    func one<Kind>(of kinds: [Kind]) -> Kind { kinds[stream.integer(in: 0..<kinds.count)] }
    let (shape, colour, texture) = (one(of: shapes), one(of: colours), one(of: textures))
    // Three pixels are what it takes to see a form.
    let radius = max(drawn(radius, stream) * Float(min(width, height)), 3)
    func middle(_ length: Int) -> Float {
      // Half of an object may lie outside, but a single one is to be seen whole.
      let margin = min(objectCount == 1...1 ? radius : 0.5 * radius, 0.5 * Float(length))
      return drawn(margin...Float(length) - margin, stream)
    }
    return SceneObject(
      shape: shape, colour: colour, texture: texture, x: middle(width), y: middle(height), radius: radius,
      turn: stream.uniform(), brightness: stream.uniform(in: 0.8..<1.05))
  }
}
