import AviaryLayers
import AviaryTensors
import AviaryWeights

/// Whether a network with the weights of a file computes, stage by stage, what is expected of it.
package struct Verification: Sendable {
  /// Where the expected numbers come from.
  package enum Origin: Sendable, Equatable {
    /// The file was written with them.
    case file
    /// The card of the model.
    case card
    /// Another file of the same model.
    case other(String)
  }

  /// A stage as it is and as it should be.
  package struct Row: Sendable {
    /// What it returns for the deterministic picture.
    package let found: StageStatistics
    /// What is expected of it; nil where nothing is known of a stage of this name.
    package let expected: StageStatistics?
    /// Whether the two differ by no more than rounding; false where nothing is expected.
    package let agrees: Bool
  }

  /// Where the expected numbers come from.
  package let origin: Origin
  /// One for each stage of the network, in its order.
  package let rows: [Row]
  /// Other readings of the same tensors that would give what is expected.
  package let fittingReadings: [String]

  /// The first stage that differs; nil when all agree.
  package var firstDivergence: String? { rows.first { !$0.agrees }?.found.name }

  /// What most often makes a stage differ like that, most likely first; empty when all agree.
  package var likelyCauses: [String] {
    guard let index = rows.firstIndex(where: { !$0.agrees }), let expected = rows[index].expected else {
      return []
    }
    let found = rows[index].found
    guard found.isFinite else { return ["damaged values: what the stage returns is infinite or no number"] }
    guard expected.isFinite else {
      return ["damaged values in what is compared with: its stage returns what is infinite or no number"]
    }
    let ratio = abs(found.magnitude / max(expected.magnitude, .leastNormalMagnitude) - 1)
    if index == 0 {
      return ["channel order of the input", "padding of the first layers", "damaged or exchanged values"]
    }
    return ratio < 0.01
      ? ["batch normalization's epsilon", "padding", "average pooling that counts padding"]
      : ["placement of strides", "flatten order", "damaged or exchanged values"]
  }
}

extension LoadedNetwork {
  /// Compares the stages with expected ones; where they differ, tries other readings of the same tensors.
  package func verification(against expected: [StageStatistics], from origin: Verification.Origin) throws
    -> Verification
  {
    let found = stageStatistics()
    let byName = Dictionary(expected.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    let rows = found.map { stage in
      let wanted = byName[stage.name]
      return Verification.Row(
        found: stage, expected: wanted, agrees: wanted.map { $0.agrees(with: stage) } ?? false)
    }
    let isWhole = rows.allSatisfy(\.agrees)
    return Verification(
      origin: origin, rows: rows, fittingReadings: isWhole ? [] : try fittingReadings(expected))
  }

  /// The expected numbers that belong to these weights: those of the file, else of the card when the weights are the card's.
  ///
  /// - Parameter isPublished: whether the weights came with the zoo or were pulled.
  package func expectedStages(
    isPublished: Bool
  ) throws -> (stages: [StageStatistics], origin: Verification.Origin)? {
    if let stages = metadata.stages { return (stages, .file) }
    guard isPublished else { return nil }
    let card = try Catalogue.entry(name).card()
    return card.weights.first { $0.dialect == dialect.name }?.stages.map { ($0, .card) }
  }

  private func fittingReadings(_ expected: [StageStatistics]) throws -> [String] {
    func fits(_ stages: [StageStatistics]) -> Bool {
      stages.count == expected.count && zip(stages, expected).allSatisfy { $0.agrees(with: $1) }
    }
    var readings = try classifier?.fittingReadings(fits) ?? []
    guard !(network is TransferModel) else { return readings }
    for (description, other) in try otherNetworks() {
      if other.takeWeights(of: network), fits(stageStatistics(of: other)) { readings.append(description) }
    }
    return readings
  }

  /// Networks with first values that the same tensors may belong to, and what tells them apart from this one.
  private func otherNetworks() throws -> [(description: String, network: any Network)] {
    let others = try Catalogue.entry(name).networks.filter { $0.name != dialect.network }
    return try others.map { other in
      switch other.form {
      case .classifier(let form):
        ("the dialect \(other.name)", form.make(classifier?.labels.count ?? 0))
      case .network(let blueprint, _): ("the dialect \(other.name)", try blueprint.make(settings))
      }
    } + (dialect.blueprint?.doubts(about: settings).map { ("\($0) is \($1.shortText)", $2) } ?? [])
  }
}

extension Dialect {
  /// How a network that is no classifier is made.
  var blueprint: Blueprint? {
    if case .network(let blueprint, _) = form { blueprint } else { nil }
  }
}

extension Network {
  /// Takes over the values of another network; false when its shapes do not allow it.
  ///
  /// Constants that the other one lacks are neutral: biases 0, scales of normalization 1.
  fileprivate func takeWeights(of other: any Network) -> Bool {
    let own = Dictionary(other.stateEntries.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    for entry in stateEntries where !entry.isFixed {
      if let known = own[entry.name] {
        guard known.shape == entry.shape else { return false }
        entry.value = known.value
      } else if entry.name.hasSuffix(".bias") {
        entry.value = .zeros(entry.shape)
      } else if entry.name.hasSuffix(".weight"), entry.shape.count == 1 {
        entry.value = .ones(entry.shape)
      } else {
        return false
      }
    }
    return true
  }
}

extension LoadedClassifier {
  /// Readings of a classifier's tensors that fit what is expected: as another framework lays out pixels.
  fileprivate func fittingReadings(_ fits: ([StageStatistics]) -> Bool) throws -> [String] {
    let input = Tensor.deterministicPicture(inputShape)
    var readings: [String] = []
    if inputShape[0] == 3, fits(model.stageStatistics(input.reversingChannels())) {
      readings.append("the first layer's channels are in the other order (RGB and BGR exchanged)")
    }
    if fits(flattenedOtherwise(input)) {
      readings.append("the first linear layer was made for the other flatten order (channels last)")
    }
    return readings
  }

  /// The stages when layers that flatten get their input as frameworks with the channels last would lay it out.
  private func flattenedOtherwise(_ input: Tensor) -> [StageStatistics] {
    model.evaluate()
    return withExactArithmetic {
      var value = input
      return model.stages.map { stage in
        for (_, layer) in stage.layers {
          if layer is Flatten, value.rank == 4 {
            let shape = value.shape
            value = value.permuted([0, 2, 3, 1]).reshaped([shape[0], shape[1] * shape[2] * shape[3]])
          } else {
            value = layer(value)
          }
        }
        return StageStatistics(stage.name, value)
      }
    }
  }
}

extension Tensor {
  /// N×C×H×W with the channels in the other order.
  fileprivate func reversingChannels() -> Tensor {
    concatenate((0..<shape[1]).reversed().map { sliced(1, $0..<($0 + 1)) }, axis: 1)
  }
}
