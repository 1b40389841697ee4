import AviaryLayers
import AviaryWeights

extension StyleTransfer {
  /// The networks whose activations describe content and style, by the names that users know.
  public enum Backbone: String, Sendable, CaseIterable {
    /// VGG-19 as it was trained on ImageNet.
    case vgg19
    /// VGG-16 as it was trained on ImageNet.
    case vgg16
    /// VGG-16's convolutions as an edge detector has them.
    case hed

    /// The name in the catalogue.
    public var model: String {
      switch self {
      case .vgg19: "gatys_vgg19"
      case .vgg16: "gatys_vgg16"
      case .hed: "gatys_vgg16.hed"
      }
    }
  }

  /// The names in the catalogue of the networks for it.
  public static var models: [String] { Gatys.entries.map(\.name) }

  /// A network for style transfer with weights: those of a file of VGG's or HED's in any format, else of VGG's that were pulled.
  ///
  /// - Parameters:
  ///   - model: a name in the catalogue; nil for the first that the weights fit.
  ///   - path: a file of weights.
  /// - Throws: ``NoBackbone`` when there are no weights, and what `Zoo.network` throws.
  public static func network(
    _ model: String? = nil, weights path: String? = nil, settings: Settings = [:],
    allowing: Allowance = []
  ) throws -> LoadedNetwork {
    let models = model.map { [$0] } ?? [Backbone.vgg19, .vgg16].map(\.model)
    if let path {
      let file = try WeightFile.open(path)
      var failure: (any Error)?
      for model in models {
        do {
          let entry = try Catalogue.selection(model).entry
          return try Zoo.network(entry, file, settings: settings, allowing: allowing)
        } catch let error as WeightsError where models.count > 1 && error.kind == .mismatched {
          failure = error
        }
      }
      throw failure is WeightsError
        ? WeightsError(.mismatched, "the file holds no convolutions of VGG-19, VGG-16 or HED", file: path)
        : failure!
    }
    for model in models {
      do {
        return try Zoo.network(model, settings: settings, allowing: allowing)
      } catch is NoWeights {
        if let loaded = try pulled(model, settings, allowing) { return loaded }
      }
    }
    throw NoBackbone(model: models[0])
  }

  /// With the pulled weights of the classifier that has the same convolutions.
  private static func pulled(
    _ model: String, _ settings: Settings, _ allowing: Allowance
  ) throws -> LoadedNetwork? {
    let entry = try Catalogue.selection(model).entry
    guard let classifier = Catalogue.entries.first(where: { "gatys_\($0.name)" == entry.name }),
      let (weights, file) = try Zoo.pulled(classifier, nil),
      let dialect = entry.dialect(named: weights.card.dialect)
    else { return nil }
    return try Zoo.network(
      entry.only(dialect), try WeightFile.open(file.path), settings: settings, allowing: allowing)
  }
}

/// There are no weights that style transfer could look at pictures with.
public struct NoBackbone: Error, CustomStringConvertible, Equatable {
  /// The catalogue's name of what was looked for.
  public let model: String
  public var description: String {
    let classifier = model.contains("16") ? "vgg16" : "vgg19"
    return
      "there are no weights for \(model) here: run 'aviary pull \(classifier).keras', or name a file of VGG-16's, VGG-19's or HED's with --weights"
  }
}
