import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights
import Foundation

extension Darknet.Configuration: NetworkConfiguration {
  private enum CodingKeys: String, CodingKey { case cfg, fork }

  /// Throws ``ConfigurationError`` for a `.cfg` that makes no network.
  public init(from decoder: any Decoder) throws {
    var entries = try ConfigurationEntries(from: decoder)
    self.init(
      cfg: try entries.text(CodingKeys.cfg.rawValue, missing: Darknet.yoloV3Tiny),
      fork: try entries.choice(CodingKeys.fork.rawValue, DarknetFork.self, missing: .alexeyab))
    try entries.finish()
    // What makes no network is told now; this costs no memory, since nothing has a value yet.
    _ = try Darknet(self)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(cfg, forKey: .cfg)
    try container.encode(fork, forKey: .fork)
  }

  public func makeNetwork() -> any Network {
    do {
      return try Darknet(self)
    } catch {
      requirementFailure("a .cfg that was read makes no network: \(error)")
    }
  }

  public func adopting(_ weights: WeightArchive) -> Self { self }
}

extension Darknet {
  /// The setting that holds the text of a `.cfg`.
  static let cfgSetting = "cfg"
  /// The catalogue's name of all networks that a `.cfg` describes.
  static let entryName = "darknet"

  static let entries = [
    entry(entryName, cfg: yoloV3Tiny), entry("yolov1", cfg: yoloV1, labels: .names(pascalClasses)),
  ]

  private static func entry(
    _ name: String, cfg: String, labels: BoundLabels = .set(.cocoClasses)
  ) -> ZooEntry {
    func dialect(
      _ fork: DarknetFork, _ threshold: Double, _ resampling: DarknetFrame.Resampling
    ) -> Dialect {
      Dialect(
        fork.rawValue, Configuration(cfg: cfg, fork: fork), tellsAllSettings: true,
        binding(threshold, resampling, labels))
    }
    return ZooEntry(
      name, .detection,
      [dialect(.alexeyab, 0.25, .antialiased), dialect(.pjreddie, 0.5, .corners)])
  }

  /// The threshold is that of the fork's `detector test`. AlexeyAB's resizes with OpenCV where it is there, and may do otherwise.
  private static func binding(
    _ threshold: Double, _ resampling: DarknetFrame.Resampling, _ labels: BoundLabels
  ) -> TaskBinding {
    TaskBinding(
      preprocessing: .init(), labels: labels,
      settings: [
        Detector.thresholdSetting: .number(threshold), "iou_threshold": .number(overlap),
        "resampling": .string(resampling.rawValue),
      ], companions: [names])
  }

  /// The names of the classes, a line each.
  private static let names = CompanionFile(
    places: ["*.names"],
    missing: { _ in nil },
    read: { path, metadata in
      let names = try ConfigurationFile.text(path, "the list of names").split(whereSeparator: \.isNewline)
        .map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
      guard !names.isEmpty else { throw WeightsError(.malformed, "there are no names", file: path) }
      metadata.labels = names
    })

  /// The network of a file `x.cfg`, or of one fork's rules for it, `x.cfg.pjreddie`; nil for names of another kind.
  ///
  /// - Throws: `WeightsError` when the file cannot be read, ``ConfigurationError`` when it makes no network.
  static func selection(_ text: String) throws -> ZooEntry? {
    let forks = DarknetFork.allCases.filter { text.hasSuffix(".cfg.\($0.rawValue)") }
    let path = forks.first.map { String(text.dropLast($0.rawValue.count + 1)) } ?? text
    guard path.hasSuffix(".cfg") else { return nil }
    let cfg = try ConfigurationFile.text(path, "the .cfg")
    _ = try Darknet(Configuration(cfg: cfg))
    let entry = entry(entryName, cfg: cfg)
    return forks.first.flatMap { entry.dialect(named: $0.rawValue) }.map(entry.only) ?? entry
  }

  /// What a `.cfg` beside the weights at `path`, under their name, says; nothing when there is none.
  static func settings(beside path: String) throws -> Settings {
    let cfg = URL(fileURLWithPath: path).deletingPathExtension().appendingPathExtension("cfg").path
    guard FileManager.default.fileExists(atPath: cfg) else { return [:] }
    return [cfgSetting: .string(try ConfigurationFile.text(cfg, "the .cfg"))]
  }
}
