import AviaryLayers
import AviaryTensors
import AviaryTraining
import AviaryWeights

/// A network with further classifiers on features half way: while it is trained, their losses help the gradient reach the first layers.
///
/// They belong to its checkpoint. Inference runs none of them, and a network whose head was exchanged has none.
public protocol AuxiliaryClassifiers: StagedModel {
  /// In the order of the stages; empty when they were removed.
  var auxiliaryClassifiers: [AuxiliaryClassifier] { get }
  /// Takes them out of the model, and their tensors out of its state; there is no way back.
  func removeAuxiliaryClassifiers()
}

/// A classifier on the result of a stage.
public struct AuxiliaryClassifier {
  /// The property it is, and so the beginning of its tensors' names.
  public let name: String
  /// The stage whose result it reads.
  public let stage: String
  /// From that stage's result N×C×H×W to logits N×classes.
  package let classifier: any Layer
  /// What its loss is multiplied by.
  public let lossWeight: Float
}

extension AuxiliaryClassifiers {
  /// All logits for a batch N×C×H×W.
  public func trainingLogits(_ input: Tensor) -> TrainingLogits {
    var value = input
    var auxiliary: [TrainingLogits.Auxiliary] = []
    for stage in stages {
      value = stage(value)
      for head in auxiliaryClassifiers where head.stage == stage.name {
        auxiliary.append(.init(logits: head.classifier(value), lossWeight: head.lossWeight))
      }
    }
    return TrainingLogits(logits: value, auxiliary: auxiliary)
  }

  /// Removes the classifiers when an archive has nothing of them, and returns their tensors' names.
  ///
  /// Files for inference often leave them out. Keeping random values in their place would be worse than not having them: the network could
  /// not be told from one that was trained with them.
  func removeAuxiliaryClassifiers(absentFrom archive: WeightArchive) -> [String] {
    let prefixes = auxiliaryClassifiers.map { $0.name + "." }
    func isAuxiliary(_ name: String) -> Bool { prefixes.contains { name.hasPrefix($0) } }
    guard !prefixes.isEmpty, !archive.names.contains(where: isAuxiliary) else { return [] }
    let absent = stateEntries.map(\.name).filter(isAuxiliary)
    removeAuxiliaryClassifiers()
    return absent
  }
}

extension ClassifierLearner {
  /// Adds the weighted losses of the model's auxiliary classifiers, if it has some and nothing of it is frozen.
  public func useAuxiliaryClassifiers() {
    guard let network = model as? any AuxiliaryClassifiers, !network.auxiliaryClassifiers.isEmpty,
      network.parameters.allSatisfy({ !$0.isFrozen })
    else { return }
    forward = { network.trainingLogits($0) }
  }
}
