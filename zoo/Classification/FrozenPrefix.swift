import AviaryLayers
import AviaryTensors
import AviaryTraining
import Synchronization

/// The first stages of a network when nothing of them is trained and chance has no part in them: what they return for a picture is the same
/// in every epoch.
///
/// They run compiled, a picture at a time, so that a picture's features do not depend on what else is in its batch.
package struct FrozenPrefix: Sendable {
  /// The names of the stages.
  package let stages: [String]
  /// What they return for one input, without a batch axis.
  package let outputShape: Shape
  private let graph: CompiledGraph

  /// The longest such beginning of a network for inputs of `inputShape` (C×H×W), which may be the whole of it; nil when there is none.
  package init?(_ model: any StagedModel, inputShape: Shape) {
    let frozen = model.stages.prefix { stage in
      stage.layers.allSatisfy { $0.layer.isFrozen && !$0.layer.dependsOnChance }
    }
    // Stages without weights at the beginning are no work.
    guard frozen.contains(where: { $0.layers.contains { !$0.layer.parameters.isEmpty } }) else { return nil }
    stages = frozen.map(\.name)
    let layers = Beginning(Array(frozen))
    graph = layers.compiled(for: [1] + inputShape, algorithms: .direct).graph(for: [1] + inputShape)
    outputShape = Array(Trace.of { layers(.abstract(TensorSpec([1] + inputShape))) }.result.shape.dropFirst())
  }

  /// What the stages return for one input C×H×W, without a batch axis too.
  package func features(of input: Tensor) -> Tensor { graph(input.expandedAxis(at: 0)).squeezed(0) }

  /// What follows the stages in the network they are of: from their results N×… to logits.
  package func rest(of model: any StagedModel) -> (Tensor) -> Tensor {
    let count = stages.count
    return { features in model.stages.dropFirst(count).reduce(features) { $1($0) } }
  }

  /// Stages as one layer, which keeps the names of what is in them.
  private final class Beginning: Layer, Container {
    let stages: [Stage]
    init(_ stages: [Stage]) { self.stages = stages }
    func callAsFunction(_ input: Tensor) -> Tensor { stages.reduce(input) { $1($0) } }
    var namedChildren: [(name: String, module: any Module)] {
      stages.flatMap(\.layers).map { ($0.name, $0.layer) }
    }
  }
}

extension Module {
  /// Whether training changes nothing in it: no parameter, and no running statistic.
  fileprivate var isFrozen: Bool {
    parameters.allSatisfy(\.isFrozen) && namedBuffers.allSatisfy { $0.buffer.isFrozen || $0.buffer.isFixed }
  }

  /// Whether something in it is dropped at random while training.
  fileprivate var dependsOnChance: Bool {
    ([self as any Module] + namedModules.map(\.module)).contains { module in
      switch module {
      case let dropout as Dropout: dropout.probability > 0
      case let path as DropPath: path.probability > 0
      case let attention as MultiHeadAttention: attention.dropout > 0
      default: false
      }
    }
  }
}

/// Examples as what the frozen beginning of a network returns for them.
package final class FeatureDataset: Dataset {
  private let base: any Dataset
  private let prefix: FrozenPrefix
  /// By example; nil where nothing is kept.
  private let kept: Mutex<[Int: Tensor]>?

  /// - Parameter keepsFeatures: whether what was computed for an example is kept for later epochs: right where `base` gives the same input
  ///   each time.
  package init(_ base: any Dataset, _ prefix: FrozenPrefix, keepsFeatures: Bool) {
    self.base = base
    self.prefix = prefix
    kept = keepsFeatures ? Mutex([:]) : nil
  }

  package var count: Int { base.count }
  package var classNames: [String] { base.classNames }
  package func label(_ index: Int) -> Int { base.label(index) }

  package func input(_ index: Int) throws -> Tensor {
    if let known = kept?.withLock({ $0[index] }) { return known }
    let features = prefix.features(of: try base.input(index))
    kept?.withLock { $0[index] = features }
    return features
  }

  /// Bytes of all features as float32, when all are kept.
  package var byteCount: Int { count * prefix.outputShape.elementCount * 4 }
}
