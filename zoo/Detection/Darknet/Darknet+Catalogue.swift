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
  /// The catalogue's name of all networks that a `.cfg` describes.
  static let entryName = "darknet"

  static let entries = [entry(cfg: yoloV3Tiny)]

  private static func entry(cfg: String) -> ZooEntry {
    ZooEntry(
      entryName, .detection,
      [
        Dialect(
          "alexeyab", Configuration(cfg: cfg, fork: .alexeyab), tellsAllSettings: true,
          binding(0.25, .antialiased)),
        Dialect(
          "pjreddie", Configuration(cfg: cfg, fork: .pjreddie), tellsAllSettings: true,
          binding(0.5, .corners)),
      ])
  }

  /// The threshold is that of the fork's `detector test`. AlexeyAB's resizes with OpenCV where it is there, and may do otherwise.
  private static func binding(
    _ threshold: Double, _ resampling: DarknetFrame.Resampling
  ) -> TaskBinding {
    TaskBinding(
      preprocessing: .init(), labels: .set(.cocoClasses),
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
    let entry = entry(cfg: cfg)
    return forks.first.flatMap { entry.dialect(named: $0.rawValue) }.map(entry.only) ?? entry
  }

  /// What a `.cfg` beside the weights at `path`, under their name, says; nothing when there is none.
  static func settings(beside path: String) throws -> Settings {
    let cfg = URL(fileURLWithPath: path).deletingPathExtension().appendingPathExtension("cfg").path
    guard FileManager.default.fileExists(atPath: cfg) else { return [:] }
    return ["cfg": .string(try ConfigurationFile.text(cfg, "the .cfg"))]
  }

  /// YOLO v3 tiny for COCO, the network of the catalogue (Redmon & Farhadi 2018): thirteen convolutions, and heads for two sizes of objects.
  static let yoloV3Tiny: String = {
    func convolution(_ filters: Int, _ size: Int) -> String {
      "[convolutional]\nbatch_normalize=1\nfilters=\(filters)\nsize=\(size)\nstride=1\npad=1\nactivation=leaky\n"
    }
    func maximum(stride: Int) -> String { "[maxpool]\nsize=2\nstride=\(stride)\n" }
    func head(_ mask: String) -> String {
      "[convolutional]\nsize=1\nstride=1\npad=1\nfilters=255\nactivation=linear\n"
        + "[yolo]\nmask=\(mask)\nanchors=10,14, 23,27, 37,58, 81,82, 135,169, 344,319\nclasses=80\nnum=6\n"
    }
    let body = [16, 32, 64, 128, 256].map { convolution($0, 3) + maximum(stride: 2) }.joined()
    return "[net]\nwidth=416\nheight=416\nchannels=3\n" + body
      + convolution(512, 3) + maximum(stride: 1) + convolution(1024, 3) + convolution(256, 1)
      + convolution(512, 3) + head("3,4,5")
      + "[route]\nlayers=-4\n" + convolution(128, 1) + "[upsample]\nstride=2\n" + "[route]\nlayers=-1,8\n"
      + convolution(256, 3) + head("0,1,2")
  }()
}
