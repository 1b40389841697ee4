import AviaryLayers
import AviaryTensors

/// The first stages of a trained network with a new head: one vector for each picture, then linear layers with ReLU between them.
///
/// What was cut off is gone from the model and its files. The rest keeps its names, the head is called `head`.
public final class TransferModel: StagedModel, Container {
  /// How the head makes one vector of what the kept stages return.
  public enum Junction: String, Sendable, Hashable, CaseIterable {
    /// The mean over all places, as torchvision's, Keras' and timm's own heads take it: few weights, and any size of picture.
    case average
    /// All values at all places, for one size of picture: where something is counts, and the head has many weights.
    case flatten
  }

  /// The kept stages, and `head`.
  public let stages: [Stage]
  /// What makes logits N×classes of the last kept stage: the junction, then linear layers with ReLU between them.
  package let head: Sequential
  /// The last stage that was kept.
  public let branch: String
  /// The widths of the head's linear layers, the last being the number of classes.
  public let widths: [Int]
  /// How the head reads what the kept stages return.
  public let junction: Junction
  /// C×H×W of what the first linear layer reads; H and W are 1 when the junction or the kept stages end without spatial axes.
  let featureShape: Shape

  /// Cuts `backbone` behind the stage `branch` (its last one before the classifier when nil; a suffix `_pool` is ignored, since stages end
  /// with their pooling) and puts a new head on it, for inputs of `inputShape` (C×H×W).
  ///
  /// - Throws: ``StageError`` when the backbone has no such stage.
  public init(
    _ backbone: any StagedModel, branch: String? = nil, head widths: [Int], junction: Junction = .average,
    inputShape: Shape
  ) throws(StageError) {
    require(!widths.isEmpty, "a head needs at least the number of classes")
    let kept = Array(backbone.stages[...(try backbone.branchIndex(branch))])
    let reached = Trace.of { kept.reduce(Tensor.abstract(TensorSpec([1] + inputShape))) { $1($0) } }.result
    let joint: any Layer = junction == .average && reached.rank > 2 ? backbone.spatialMean : Flatten()
    let features = junction == .average ? Trace.of { joint(reached) }.result : reached
    featureShape = Array((features.shape.dropFirst() + [1, 1]).prefix(3))
    self.junction = junction
    self.branch = kept.last!.name
    self.widths = widths
    var layers: [any Layer] = [joint]
    var inputs = features.count
    for (index, width) in widths.enumerated() {
      if index > 0 { layers.append(Activate(.relu)) }
      let initializer: Initializer = index == widths.count - 1 ? .xavierUniform() : .kaimingUniform()
      layers.append(Linear(inputs, width, initializer: initializer))
      inputs = width
    }
    head = Sequential(layers)
    stages = kept + [Stage("head", [("head", head)])]
  }

  /// The head's linear layers: our name, and the one they get in Keras.
  var headLayers: [(theirs: String, ours: String)] {
    head.layers.indices.filter { head.layers[$0] is Linear }.map { ("head_\($0)", "head.\($0)") }
  }

  /// The layers of all stages under the names they have in the backbone, and the head.
  public var namedChildren: [(name: String, module: any Module)] {
    stages.flatMap(\.layers).map { ($0.name, $0.layer) }
  }
}
