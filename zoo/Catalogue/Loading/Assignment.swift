import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights
import Foundation

extension Dialect {
  /// Weights of this dialect under our names, for a network that the metadata describes or else the whole one.
  ///
  /// Of the maps that can be meant, the one that gives most of the network's names is taken: Keras' maps for Keras' files, the others
  /// for the rest, where names may be ours already. Where the model was a part of something larger, what that put before all names is taken
  /// off.
  func imported(_ archive: WeightArchive, into model: any Module) throws -> WeightArchive {
    try translated(archive, into: model).archive
  }

  /// As ``imported(_:into:)``, with the name of the map that was taken; nil where the names are ours already.
  func translated(
    _ archive: WeightArchive, into model: any Module
  ) throws -> (archive: WeightArchive, map: String?) {
    if archive.darknet != nil, let network = model as? any StreamedNetwork {
      return (try network.archive(ofStream: archive), nil)
    }
    let isKeras = archive.keras != nil
    let maps = try zip(nameMaps, loadNameMaps(for: model)).filter { ($0.1.theirs == "keras") == isKeras }
    let expected = model.stateEntries.filter { !$0.isFixed }.map(\.name)
    func fit(_ candidate: WeightArchive) -> Int { expected.count { candidate.spec($0) != nil } }
    var best: (archive: WeightArchive, map: String?, fit: Int)?
    var failure: (any Error)?
    func consider(_ candidate: WeightArchive, _ map: String?) {
      let fit = fit(candidate)
      if fit > best?.fit ?? -1 { best = (candidate, map, fit) }
    }
    func considerNames(of archive: WeightArchive) {
      if !isKeras { consider(archive, nil) }
      if best?.fit == expected.count { return }
      for (name, map) in maps {
        do {
          consider(try map.importedWithRest(archive, expecting: expected), name)
        } catch {
          failure = failure ?? error
        }
      }
    }
    considerNames(of: archive)
    if !isKeras, best?.fit != expected.count {
      for (_, inner) in archive.withoutSharedPrefixes() where best?.fit != expected.count {
        considerNames(of: inner)
      }
    }
    if best == nil, let failure { throw failure }
    return (best?.archive ?? archive, best?.map)
  }

  /// The map between a framework's names and ours, if there is one; with the layers of the model's new head when it has one.
  package func loadNameMap(for model: (any Module)? = nil, theirs: String = "keras") throws -> NameMap? {
    try loadNameMaps(for: model).first { $0.theirs == theirs }
  }

  private func loadNameMaps(for model: (any Module)?) throws -> [NameMap] {
    try nameMaps.map { name in
      let map = try NameMap(contentsOf: try Resources.url(name, "json").path)
      guard let transfer = model as? TransferModel, map.theirs == "keras" else { return map }
      return try map.adding(dense: transfer.headLayers, flattened: transfer.featureShape)
    }
  }
}

extension NameMap {
  /// As ``imported(_:strippingPrefix:expecting:)``; what the map does not know stays, so that a report can name it.
  fileprivate func importedWithRest(
    _ archive: WeightArchive, expecting expected: [String]
  ) throws -> WeightArchive {
    let translation = try imported(archive, expecting: expected)
    var result = translation.archive
    result.add(missingFrom: translation.rest)
    return result
  }
}

extension WeightArchive {
  /// The number of classes these weights were made for: the extent of the last bias (or else weight) of the model in the file.
  func classCount(_ model: any StagedModel) -> Int? {
    guard let last = model.stateEntries.last(where: \.isTrained), let shape = spec(last.name)?.shape else {
      return nil
    }
    return shape.first.flatMap { 1..<(1 << 24) ~= $0 ? $0 : nil }
  }
}

extension Module {
  /// What of an archive fits. Auxiliary classifiers that the archive has nothing of are removed first.
  func report(_ archive: WeightArchive, replaceable: Set<String> = []) -> LoadReport {
    let absent = removeAuxiliaryClassifiers(absentFrom: archive)
    return LoadReport(of: self, archive, absent: absent, replaceable: replaceable)
  }

  /// Whether an archive has the module's tensors and no others, auxiliary classifiers aside.
  func fits(_ archive: WeightArchive) -> Bool {
    _ = removeAuxiliaryClassifiers(absentFrom: archive)
    let (expected, optional) = expectations
    return LoadReport.fits(expected: expected, optional: optional, archive: archive)
  }

  private func removeAuxiliaryClassifiers(absentFrom archive: WeightArchive) -> [String] {
    (self as? any AuxiliaryClassifiers)?.removeAuxiliaryClassifiers(absentFrom: archive) ?? []
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
    let isFixed = statistics == .fixed
    return .init(
      height: height, width: width, channels: order, range: 0...(255 / divisor), mean: isFixed ? mean : [],
      standardDeviation: isFixed ? std : [], resizeShorterSide: shortSide,
      interpolation: interpolation.rawValue, rounding: rounding.rawValue,
      statistics: isFixed ? nil : statistics.rawValue)
  }

  /// From what a portable file says; throws `WeightsError` when it makes no sense.
  init(_ portable: PortableMetadata.Preprocessing, file: String?) throws {
    let channels: Channels =
      switch portable.channels {
      case .rgb: .rgb
      case .bgr: .bgr
      case .grey: .grey
      }
    let sizes = [portable.height, portable.width, portable.resizeShorterSide].map { $0 ?? 1 }
    let deviations = portable.standardDeviation
    guard sizes.allSatisfy({ 1...65_536 ~= $0 }), (portable.height == nil) == (portable.width == nil),
      portable.longestSide == nil, portable.range.count == 2, portable.range[0] == 0,
      portable.range[1] > 0, [0, channels.count].contains(portable.mean.count),
      [0, channels.count].contains(deviations.count), deviations.allSatisfy({ $0 > 0 }),
      let interpolation = Interpolation(rawValue: portable.interpolation ?? "bilinear"),
      let rounding = Rounding(rawValue: portable.rounding ?? "torchvision"),
      let statistics = Statistics(rawValue: portable.statistics ?? "fixed"),
      statistics == .fixed || portable.mean.isEmpty && deviations.isEmpty
    else { throw WeightsError(.malformed, "the preprocessing is not one this version knows", file: file) }
    var resize = Resize.none
    if let side = portable.resizeShorterSide {
      resize = .shortSide(side)
    } else if let width = portable.width, let height = portable.height {
      resize = .exact(width: width, height: height)
    }
    self.init(
      resize: resize, interpolation: interpolation,
      crop: portable.resizeShorterSide == nil ? nil : portable.width,
      channels: channels, divisor: 255 / portable.range[1], mean: portable.mean.isEmpty ? nil : portable.mean,
      std: deviations.isEmpty ? nil : deviations)
    self.rounding = rounding
    self.statistics = statistics
  }
}
