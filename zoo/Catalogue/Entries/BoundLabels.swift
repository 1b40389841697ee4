import AviaryLayers
import AviaryVision
import AviaryWeights

/// Names of a network's classes or tokens as the catalogue has them.
enum BoundLabels: Sendable, ExpressibleByArrayLiteral {
  case names([String])
  case set(LabelSet)

  init(arrayLiteral names: String...) { self = .names(names) }

  /// The names; nil for a network of another number of classes, whose names nobody knows.
  func names(for network: any Network, _ task: ZooTask) throws -> [String]? {
    let names =
      switch self {
      case .names(let names): names
      case .set(let set): try set.names()
      }
    return task.labelCount(of: network).map { $0 == names.count } ?? true ? names : nil
  }
}

extension ZooTask {
  /// How many labels a network tells apart; nil where its outputs do not show it.
  func labelCount(of network: any Network) -> Int? {
    switch self {
    case .segmentation: network.classChannels.map { max($0, 2) }
    case .detection: (network as? any DetectionNetwork)?.labelCount
    case .captioning: (network as? any CaptioningNetwork)?.wordCount
    case .language: network.signature.outputs.first.flatMap { $0.fixedExtent($0.axes.count - 1) }
    case .translation: (network as? any TranslationNetwork)?.targetCount
    case .classification, .stylization, .generation: nil
    }
  }
}

extension Network {
  /// Channels of the first input, where they are fixed.
  var imageChannels: Int? { signature.inputs.first.flatMap { $0.fixedExtent(1) } }
  /// Channels of the first output, where they are fixed: the classes of a network for pixels.
  var classChannels: Int? { signature.outputs.first.flatMap { $0.fixedExtent(1) } }
}

extension TensorPort {
  fileprivate func fixedExtent(_ axis: Int) -> Int? {
    if axis < axes.count, case .fixed(let extent) = axes[axis] { extent } else { nil }
  }
}

extension LoadedNetwork {
  /// One name for each of `count` labels: those bound to the weights, else `kind` and the number.
  ///
  /// Throws `WeightsError` when a file names another number of labels, or such that do not begin at the first output.
  func labels(_ count: Int, else kind: String) throws(WeightsError) -> [String] {
    guard metadata.labelOffset ?? 0 == 0 else {
      throw WeightsError(.unsupported, "\(name) cannot have a label_offset of \(metadata.labelOffset!)")
    }
    guard let labels = metadata.labels else { return (0..<count).map { "\(kind) \($0)" } }
    guard labels.count == count else {
      throw WeightsError(
        .mismatched, "\(labels.count) labels are bound to the weights, but \(name) tells \(count) apart")
    }
    return labels
  }

  /// How pictures become inputs, as a portable file says it; every network that takes pictures has it bound to its weights.
  func portablePreprocessing() throws(WeightsError) -> PortableMetadata.Preprocessing {
    guard let preprocessing = metadata.preprocessing else {
      throw WeightsError(.malformed, "nothing says how a picture becomes an input of \(name)")
    }
    return preprocessing
  }

  /// How pictures become inputs; throws `WeightsError` when what a file says makes no sense.
  package func preprocessing() throws -> Preprocessing {
    try Preprocessing(try portablePreprocessing(), file: nil)
  }

  /// Throws ``AdaptationError`` unless pictures have the network's channels and its preprocessing makes them.
  func requirePictures(_ preprocessing: Preprocessing) throws(AdaptationError) {
    guard let channels = network.imageChannels, channels != preprocessing.channels.count else { return }
    let isPossible = [1, 3].contains(channels)
    throw AdaptationError(
      model: name, given: "pictures for its \(channels) channels",
      expected: isPossible
        ? "the preprocessing of these weights makes \(preprocessing.channels.count)"
        : "pictures have 1 or 3, so feed it arrays")
  }
}

extension PortableMetadata.Preprocessing {
  /// The same for pictures in grey or in colours, each channel with the mean numbers of those there were; as it is for channels that no
  /// picture has.
  func with(channels count: Int?) -> Self {
    guard let count, count != (channels == .grey ? 1 : 3), [1, 3].contains(count) else { return self }
    var copy = self
    copy.channels = count == 1 ? .grey : .rgb
    copy.mean = mean.averaged(over: count)
    copy.standardDeviation = standardDeviation.averaged(over: count)
    return copy
  }
}
