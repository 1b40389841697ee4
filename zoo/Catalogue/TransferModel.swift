import AviaryLayers
import AviaryTensors

/// The first stages of a trained network with a new head: flatten, then linear layers with ReLU between them.
///
/// What was cut off is gone from the model and its files. The rest keeps its names, the head is called `head`.
public final class TransferModel: StagedModel, Container {
  /// The kept stages, and `head`.
  public let stages: [Stage]
  public let head: Sequential
  /// The last stage that was kept.
  public let branch: String
  /// The widths of the head's linear layers, the last being the number of classes.
  public let widths: [Int]
  /// C×H×W of what the head flattens; H and W are 1 when the kept stages end without spatial axes.
  let featureShape: Shape

  /// Cuts `backbone` behind the stage `branch` (its last one before the classifier when nil; a suffix `_pool` is ignored, since stages end
  /// with their pooling) and puts a new head on it, for inputs of `inputShape` (C×H×W).
  public init(
    _ backbone: any StagedModel, branch: String? = nil, head widths: [Int], inputShape: Shape
  ) throws(StageError) {
    require(!widths.isEmpty, "a head needs at least the number of classes")
    let kept = Array(backbone.stages[...(try backbone.branchIndex(branch))])
    let features = Trace.of { kept.reduce(Tensor.abstract(TensorSpec([1] + inputShape))) { $1($0) } }.result
    featureShape = Array((features.shape.dropFirst() + [1, 1]).prefix(3))
    self.branch = kept.last!.name
    self.widths = widths
    var layers: [any Layer] = [Flatten()]
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

  public var namedChildren: [(name: String, module: any Module)] {
    stages.flatMap(\.layers).map { ($0.name, $0.layer) }
  }
}
