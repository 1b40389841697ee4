import AviaryLayers
import AviaryTensors
import AviaryWeights

extension LoadedNetwork {
  /// The network with labels of its own, to be taught to tell them apart.
  ///
  /// For another number of labels it is made anew, and takes over every tensor that keeps its shape; what depends on the number, the last layer
  /// above all, has first values. Weights of fewer bits become float32. For the same number it stays as it is, under the new names. ``changes`` says which. What was measured with
  /// the old labels is no longer bound to the weights.
  /// - Throws: ``AdaptationError`` for a network that has no other number of labels, ``ConfigurationError`` for a number that makes none.
  public func relabelled(_ names: [String]) throws -> LoadedNetwork {
    guard let count = task.labelCount(of: network) else {
      throw AdaptationError(model: name, given: "labels", expected: "it tells nothing apart")
    }
    var result = self
    if names.count == count {
      if let old = metadata.labels, old != names {
        result.changes.append(
          "\(count) labels as before, under other names: \(names.shortList); the last layer keeps its weights"
        )
      }
    } else {
      result = try remade(labels: names.count)
    }
    // Small files hold halves; what learns takes steps that these do not show.
    for entry in result.network.stateEntries
    where entry.value.dtype.isFloatingPoint && entry.value.dtype != .float32 {
      entry.value = entry.value.cast(to: .float32)
    }
    result.metadata.labels = names
    (result.metadata.metrics, result.metadata.stages) = (nil, nil)
    return result
  }

  private func remade(labels count: Int) throws -> LoadedNetwork {
    guard case .network(let blueprint, _) = dialect.form,
      let (all, setting) = try blueprint.relabelled(settings, labels: count)
    else {
      throw AdaptationError(
        model: name, given: "\(count) labels", expected: "no setting of it says their number")
    }
    var result = try Catalogue.entry(name).loaded(dialect, try blueprint.make(all), all)
    let old = Dictionary(uniqueKeysWithValues: network.stateEntries.map { ($0.name, $0.value) })
    var anew: [String] = []
    for entry in result.network.stateEntries where !entry.isFixed {
      if let value = old[entry.name], value.shape == entry.shape {
        entry.value = value
      } else {
        anew.append(entry.name)
      }
    }
    let own = result.metadata.configuration
    result.metadata = metadata
    result.metadata.configuration = own
    result.changes =
      changes + ["\(count) labels (\(setting)); with first values: \(anew.shortList)"]
    result.assumptions = assumptions
    return result
  }
}
