import AviaryLayers
import AviaryTensors
import AviaryTraining
import AviaryVision
import AviaryWeights

/// Changes a picture step by step until it has the content of one and the style of others (Gatys, Ecker & Bethge 2016; see ``Gatys``).
///
///     let transfer = try StyleTransfer(
///       try Zoo.network("gatys_vgg19", weights: "vgg19.pth"), content: photograph, styles: [.init(painting)])
///     while !transfer.isDone { try transfer.step() }
///     try transfer.picture().write(to: "result.png")
///
/// Large forms come from small sizes, which the next ones begin with (Gatys et al. 2017, "Controlling Perceptual Factors in Neural Style
/// Transfer", arXiv:1611.07865, section 6). The same inputs and seed give the same picture, also when a run is interrupted
/// (``state``, ``restore(_:)``).
public final class StyleTransfer {
  /// Losses of a step, each times its weight.
  public struct Losses: Sendable, Codable, Hashable {
    /// The longer side of the picture.
    public let size: Int
    /// From 1, at this size.
    public let step: Int
    /// In parts of the content's own activations.
    public let content: Float
    /// In parts of how far the content is from the styles.
    public let style: Float
    /// Of the differences between neighbours.
    public let variation: Float
    /// All of them.
    public var total: Float { content + style + variation }
  }

  /// What messages call the network.
  public let name: String
  /// What the run was started with.
  public let options: StyleTransferOptions
  /// Losses of the steps that were done, before each.
  public internal(set) var losses: [Losses] = []

  let inputs: StyleInputs
  /// Which of the sizes is worked on.
  var level = 0
  /// Steps done at this size.
  var stepsDone = 0
  var targets: StyleTargets
  var variable: PictureVariable
  var optimizer: any Optimizer
  let objective: GatysObjective

  /// - Parameters:
  ///   - loaded: one of the catalogue's networks for this, whose layers and weights are compared.
  ///   - name: what messages call the content.
  ///   - masks: for each style a grey picture that is white where it goes; none where all go everywhere, mixed.
  ///   - styleMasks: for each style a grey picture that is white where it counts, or nil for all of it; none for all of all.
  /// - Throws: ``UnsuitableStylizer`` for another network or too large a picture, `WeightsError` when what is bound to the weights makes no
  ///   sense.
  public init(
    _ loaded: LoadedNetwork, content: Image, styles: [Stylizer.Style], masks: [Image] = [],
    styleMasks: [Image?] = [], options: StyleTransferOptions = .init()
  ) throws {
    guard let gatys = loaded.network as? Gatys else {
      throw UnsuitableStylizer(model: loaded.name, reason: "does not change pictures step by step")
    }
    require(
      !styles.isEmpty && [0, styles.count].contains(masks.count)
        && [0, styles.count].contains(styleMasks.count),
      "\(styles.count) styles with \(masks.count) masks and \(styleMasks.count) masks of their own")
    require(
      options.size > 0 && options.steps > 0 && options.sizes > 0 && options.tile >= 64,
      "\(options.steps) steps at \(options.sizes) sizes up to \(options.size), in tiles of \(options.tile)")
    let preprocessing = try loaded.stylingPreprocessing()
    name = loaded.name
    self.options = options
    let configuration = gatys.configuration
    objective = GatysObjective(
      trunk: configuration.trunk, weights: gatys.weights.map(\.detached), scale: PictureScale(preprocessing),
      contentLayers: configuration.contentLayers.map { ($0.layer, Float($0.weight)) },
      styleLayers: configuration.styleLayers.map { ($0.layer, Float($0.weight)) }, tileSide: options.tile)
    inputs = StyleInputs(content: content, styles: styles, masks: masks, styleMasks: styleMasks, options)
    targets = inputs.targets(at: 0, objective, options)
    variable = PictureVariable(inputs.start(like: targets.content, objective.scale, options))
    optimizer = Self.makeOptimizer(options, for: targets.content)
  }

  /// Steps of the whole run.
  public var stepCount: Int { options.steps * inputs.sizes.count }
  /// Whether all steps are done.
  public var isDone: Bool { losses.count == stepCount }

  /// One step. Throws ``NoNumbers`` when the picture is lost.
  @discardableResult
  public func step() throws -> Losses {
    require(!isDone, "a step after the last")
    if stepsDone == options.steps { try enlarge() }
    var evaluation: GatysObjective.Evaluation?
    _ = optimizer.step(variable) {
      let found = objective.evaluation(
        of: variable.picture.value, targets, variationWeight: options.variationWeight)
      evaluation = found
      var gradients = Gradients()
      gradients[variable.picture] = found.gradient * Self.lossScale
      return (Tensor(found.total * Self.lossScale), gradients)
    }
    let found = evaluation!
    guard found.total.isFinite else { throw NoNumbers(of: "the picture after \(losses.count) steps") }
    stepsDone += 1
    let losses = Losses(
      size: inputs.sizes[level], step: stepsDone, content: found.content, style: found.style,
      variation: found.variation)
    self.losses.append(losses)
    return losses
  }

  /// The picture as it is now. Throws ``NoNumbers`` when it is lost.
  public func picture() throws -> Image {
    do {
      let picture = try objective.scale.image(of: variable.picture.value)
      guard options.keepsColours else { return picture }
      return picture.coloured(as: inputs.content(at: level))
    } catch {
      throw NoNumbers(of: "the picture after \(losses.count) steps")
    }
  }

  /// Goes on with the next size.
  private func enlarge() throws {
    level += 1
    stepsDone = 0
    targets = inputs.targets(at: level, objective, options)
    let larger = variable.picture.value.interpolated(
      to: Array(targets.content.shape[2...]), .cubic(alignsCorners: false))
    variable = PictureVariable(larger)
    optimizer = Self.makeOptimizer(options, for: larger)
  }

  /// Losses are near 1 and their gradients tiny: L-BFGS takes no notice of curvatures below 1e-10.
  private static let lossScale: Float = 1e6
  /// Bytes for what L-BFGS remembers.
  private static let historyBytes = 200 << 20

  static func makeOptimizer(_ options: StyleTransferOptions, for picture: Tensor) -> any Optimizer {
    switch options.optimizer {
    case .lbfgs:
      LBFGS(
        maximumIterations: 1, gradientTolerance: 0, changeTolerance: 0,
        historySize: min(max(historyBytes / (8 * picture.count), 3), 50))
    case .adam: Adam(learningRate: 2)
    }
  }
}

/// The picture that is changed, as something that is trained.
final class PictureVariable: Module {
  /// 1×3×H×W with values from 0 to 255, and beyond while it is changed.
  let picture: Parameter

  init(_ value: Tensor) {
    picture = Parameter(value.shape, .zeros)
    picture.value = value
  }
}
