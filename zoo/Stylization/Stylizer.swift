import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights

/// Paints pictures in the manner of others, in one pass of a network.
///
///     let stylizer = try Zoo.load(Stylizer.self, "fast_style", weights: "wave.safetensors")
///     try stylizer.stylize(photograph).write(to: "wave.png")
///
/// Some networks paint in the one style that they were trained for, others in that of any picture they are given
/// (``takesStyles``). Pictures that are changed step by step (Gatys et al.) are a ``StyleTransfer``.
public struct Stylizer: TaskModel {
  public static let task = ZooTask.stylization

  /// What messages call the network: its name in the catalogue.
  public let name: String
  private let styler: any PictureStyler

  /// A picture whose manner is wanted, and how much of it.
  public struct Style: Sendable {
    /// The picture.
    public let image: Image
    /// Its share: weights are divided by their sum.
    public let weight: Float
    /// What messages call the picture.
    public let name: String

    /// One of several styles, all alike unless weights are given.
    public init(_ image: Image, weight: Float = 1, named name: String = "the style") {
      self.image = image
      self.weight = weight
      self.name = name
    }
  }

  /// - Throws: ``UnsuitableStylizer`` for a network that works step by step, ``WrongTask`` for one of another task; `WeightsError` when what
  ///   is bound to the weights makes no sense.
  public init(_ loaded: sending LoadedNetwork, execution: Execution = .compiled()) throws {
    guard loaded.task == Self.task else { throw WrongTask(model: loaded.name, task: loaded.task) }
    guard let network = loaded.network as? any OnePassStylingNetwork else {
      throw UnsuitableStylizer(
        model: loaded.name, reason: "changes a picture step by step: it is for StyleTransfer")
    }
    let preprocessing = try loaded.stylingPreprocessing()
    let makeStyler = network.styler(preprocessing)
    name = loaded.name
    styler = makeStyler(SharedNetwork(loaded.network, execution: execution))
  }

  private init(named name: String, _ styler: any PictureStyler) {
    self.name = name
    self.styler = styler
  }

  public func copy() -> Stylizer { Stylizer(named: name, styler.copy()) }

  /// Whether it paints in the manner of pictures that it is given; if not, in one that its weights know.
  public var takesStyles: Bool { styler.takesStyles }

  /// The picture in the manner of the styles, in its own size.
  ///
  /// - Parameters:
  ///   - name: what messages call the picture.
  ///   - styles: pictures whose manners are mixed by their weights; none where ``takesStyles`` is false.
  ///   - alpha: how much of the style there is, from 0 to 1; 1 where ``takesStyles`` is false.
  /// - Throws: ``UnsuitablePicture`` for one that is too large or too small, ``UnsuitableStylizer`` for styles where there can be none, or
  ///   none where there must be some, ``NoNumbers``.
  public func stylize(
    _ image: Image, named name: String = "the picture", styles: [Style] = [], alpha: Float = 1
  ) throws -> Image {
    require((0...1).contains(alpha), "styled by \(alpha)")
    guard styles.isEmpty != takesStyles else {
      throw UnsuitableStylizer(
        model: self.name,
        reason: takesStyles
          ? "paints in the manner of pictures that it is given, and was given none"
          : "has one style of its own, and takes no pictures of others")
    }
    let weight = styles.reduce(0) { $0 + $1.weight }
    require(styles.isEmpty || weight > 0 && weight.isFinite, "styles whose weights add up to \(weight)")
    let shares = styles.map { Style($0.image, weight: $0.weight / weight, named: $0.name) }
    let out = try styler.styled(image, named: name, shares, alpha: alpha)
    guard out.values().allSatisfy(\.isFinite) else { throw NoNumbers(of: name) }
    return try Image.pictures(of: out, range: styler.range)[0]
  }
}

/// A network that paints in one pass.
protocol OnePassStylingNetwork: Network {
  /// How pictures go through it, for the network once threads share it.
  func styler(_ preprocessing: Preprocessing) -> @Sendable (SharedNetwork) -> any PictureStyler
}

/// How pictures go through a network that paints in one pass.
protocol PictureStyler: Sendable {
  /// Whether it needs pictures for the style.
  var takesStyles: Bool { get }
  /// The values of black and white in what it makes.
  var range: ClosedRange<Float> { get }
  /// A picture 1×3×H×W of the size of `image`. Throws ``UnsuitablePicture``.
  func styled(_ image: Image, named name: String, _ styles: [Stylizer.Style], alpha: Float) throws -> Tensor
  /// Another one for calls at the same time.
  func copy() -> Self
}

/// A network for pictures was asked for what it does not do, or cannot make any.
public struct UnsuitableStylizer: Error, Equatable, CustomStringConvertible {
  /// The catalogue's name of the network.
  public let model: String
  /// What is wrong, in words.
  public let reason: String
  public var description: String { "\(model) \(reason)" }
}

extension LoadedNetwork {
  /// How a picture becomes an input of a network that paints: in its own size and in colours.
  ///
  /// Throws `WeightsError` or ``ConfigurationError`` when what is bound to the weights makes no sense.
  func stylingPreprocessing() throws -> Preprocessing {
    try ConfigurationEntries(metadata.taskSettings ?? [:]).finish()
    let preprocessing = try preprocessing()
    guard preprocessing.crop == nil, preprocessing.resize == .none, preprocessing.channels != .grey,
      preprocessing.statistics == .fixed
    else {
      throw WeightsError(
        .mismatched,
        "the preprocessing changes the size or the colours of pictures, or their range by their own: they keep theirs"
      )
    }
    try requirePictures(preprocessing)
    return preprocessing
  }
}
