import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights
import Foundation

extension Dialect {
  /// Weights of this dialect's framework under our names, for a network that the metadata describes or else the whole one;
  /// weights that have our names already pass through.
  func imported(_ archive: WeightArchive, into model: (any StagedModel)? = nil) throws -> WeightArchive {
    guard archive.keras != nil, let map = try loadNameMap(for: model) else { return archive }
    let translation = try map.imported(archive, expecting: model?.stateEntries.map(\.name) ?? [])
    var result = translation.archive
    // What the map does not know stays visible, so that the report can name it.
    result.add(missingFrom: translation.rest)
    return result
  }

  /// The map between the framework's names and ours, when they differ; with the layers of the model's new head when it has one.
  public func loadNameMap(for model: (any StagedModel)? = nil) throws -> NameMap? {
    guard let map = try nameMap.map({ try NameMap(contentsOf: try Resources.url($0, "json").path) }) else {
      return nil
    }
    guard let transfer = model as? TransferModel else { return map }
    return try map.adding(dense: transfer.headLayers, flattened: transfer.featureShape)
  }
}

extension WeightArchive {
  /// The number of classes these weights were made for: the extent of the last bias (or else weight) of the model in the file.
  func classCount(_ model: any StagedModel) -> Int? {
    guard let last = model.stateEntries.last(where: \.isTrained), let shape = spec(last.name)?.shape else {
      return nil
    }
    return shape.first.flatMap { $0 > 0 ? $0 : nil }
  }
}

extension Module {
  var expectedShapes: [String: Shape] {
    Dictionary(uniqueKeysWithValues: stateEntries.map { ($0.name, $0.shape) })
  }

  /// Takes over the values of an archive that a ``LoadReport`` found complete.
  func assign(_ archive: WeightArchive) {
    for entry in stateEntries { if let tensor = archive[entry.name] { entry.value = tensor } }
  }
}

extension LabelSet {
  /// The names when there are as many as the model has outputs, else numbers.
  func names(count model: any StagedModel) throws -> [String] {
    let names = try names()
    let outputs = model.stateEntries.last(where: \.isTrained)?.shape.first ?? names.count
    return outputs == names.count ? names : (0..<outputs).map { "class \($0)" }
  }
}

extension PortableMetadata {
  /// The network the metadata describes: a whole one, or one with a new head.
  func build(_ dialect: Dialect, classes: Int, card: Card, file: String) throws -> any StagedModel {
    guard case .string(let branch) = configuration?["branch"], case .array(let head) = configuration?["head"]
    else { return dialect.make(classes) }
    let widths = head.compactMap { if case .integer(let width) = $0 { width } else { nil } }
    guard !widths.isEmpty, widths.count == head.count, widths.last == classes,
      widths.allSatisfy({ 1..<(1 << 24) ~= $0 })
    else {
      throw WeightsError(.malformed, "the head \(widths) does not end in \(classes) classes", file: file)
    }
    do throws(StageError) {
      return try TransferModel(
        dialect.make(card.classes), branch: branch, head: widths, inputShape: card.input)
    } catch {
      throw WeightsError(.mismatched, error.description, file: file)
    }
  }
}

extension Preprocessing {
  /// As a portable file describes it.
  func portable(height: Int, width: Int) -> PortableMetadata.Preprocessing {
    let order: PortableMetadata.Preprocessing.ChannelOrder =
      switch channels {
      case .rgb: .rgb
      case .bgr: .bgr
      case .grey: .grey
      }
    var shortSide: Int?
    if case .shortSide(let side) = resize { shortSide = side }
    return .init(
      height: height, width: width, channels: order, range: 0...(255 / divisor), mean: mean,
      standardDeviation: std, resizeShorterSide: shortSide, interpolation: interpolation.rawValue,
      rounding: rounding.rawValue)
  }

  /// From what a portable file says; throws `WeightsError` when it makes no sense.
  init(_ portable: PortableMetadata.Preprocessing, file: String) throws {
    let channels: Channels =
      switch portable.channels {
      case .rgb: .rgb
      case .bgr: .bgr
      case .grey: .grey
      }
    let sizes = [portable.height, portable.width, portable.resizeShorterSide ?? 1]
    let deviations = portable.standardDeviation
    guard sizes.allSatisfy({ 1...65_536 ~= $0 }), portable.range.count == 2, portable.range[0] == 0,
      portable.range[1] > 0, [0, channels.count].contains(portable.mean.count),
      [0, channels.count].contains(deviations.count), deviations.allSatisfy({ $0 > 0 }),
      let interpolation = Interpolation(rawValue: portable.interpolation ?? "bilinear"),
      let rounding = Rounding(rawValue: portable.rounding ?? "torchvision")
    else { throw WeightsError(.malformed, "the preprocessing is not one this version knows", file: file) }
    let resize: Resize =
      portable.resizeShorterSide.map { .shortSide($0) }
      ?? .exact(width: portable.width, height: portable.height)
    self.init(
      resize: resize, interpolation: interpolation,
      crop: portable.resizeShorterSide == nil ? nil : portable.width,
      channels: channels, divisor: 255 / portable.range[1], mean: portable.mean.isEmpty ? nil : portable.mean,
      std: deviations.isEmpty ? nil : deviations)
    self.rounding = rounding
  }
}
