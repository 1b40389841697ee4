/// What an Aviary file says beside its tensors: the JSON of `__metadata__["aviary"]`. Everything but the version is optional.
///
/// `PortableFormat.md` specifies each field for other languages.
public struct PortableMetadata: Codable, Hashable, Sendable {
  /// The newest version that this code reads.
  public static let currentVersion = 3

  /// Counts up when a reader of the older form would misread the newer. Files of classifiers are still of version 1.
  public var formatVersion = 1
  /// The model's name in the catalogue: `resnet50`.
  public var model: String?
  /// Which of several networks of the same shapes: `keras_v1`, `tv_v1`. Decides strides, padding, pooling, eps.
  public var dialect: String?
  /// The model's configuration, by the names of its fields.
  public var configuration: [String: JSONValue]?
  /// What the model is for, `segmentation`; nil for classification. It needs version 2, and setting it says so.
  public var task: String? { didSet { if task != nil { formatVersion = max(formatVersion, 2) } } }
  /// The numbers of the task, before the network and behind it, by the names of `PortableFormat.md`.
  public var taskSettings: [String: JSONValue]?
  /// How many outputs a classifier has.
  public var numClasses: Int?
  /// How a picture becomes the model's input. Other statistics than fixed ones need version 3, and setting them says so.
  public var preprocessing: Preprocessing? {
    didSet { if preprocessing?.statistics != nil { formatVersion = max(formatVersion, 3) } }
  }
  /// Class names, in the order of the outputs.
  public var labels: [String]?
  /// How many outputs come before that of the first label: 1 for checkpoints with a background class.
  public var labelOffset: Int?
  /// Names of what the model returns, in order.
  public var outputs: [String]?
  /// Where the weights come from.
  public var source: Source?
  /// An SPDX expression, or the licence's name.
  public var licence: String?
  /// Published or measured numbers: `top1`, `top5`, as fractions of 1 unless the name says otherwise.
  public var metrics: [String: Double]?
  /// What each stage of the network returns for a fixed input, by which a file that was damaged or is read as another network is noticed.
  public var stages: [StageStatistics]?
  /// SHA-256 of the data after the header, 64 lower-case hexadecimal digits. Set by the writer.
  public var dataSHA256: String?
  /// The layers and spellings of the Keras file these weights came from, which lets them go back unchanged.
  package var keras: KerasStructure?

  /// Metadata of the current version that says nothing but the model and its dialect.
  public init(model: String? = nil, dialect: String? = nil) {
    self.model = model
    self.dialect = dialect
  }

  /// Where the weights come from.
  public struct Source: Codable, Hashable, Sendable {
    /// `keras`, `torchvision`, `darknet`, `aviary`, …
    public var framework: String?
    /// The address that the file is published at.
    public var url: String?
    /// SHA-256 of the file as published.
    public var sha256: String?

    /// An origin; nil is what nobody knows.
    public init(framework: String? = nil, url: String? = nil, sha256: String? = nil) {
      self.framework = framework
      self.url = url
      self.sha256 = sha256
    }
  }

  /// Mean and magnitude of what a stage of the network returns.
  public struct StageStatistics: Codable, Hashable, Sendable {
    /// The stage's name in the model: `block1`.
    public let name: String
    /// The mean of all values.
    public let mean: Double
    /// The mean of absolute values.
    public let magnitude: Double

    /// What the stage called `name` returned, measured or read.
    public init(name: String, mean: Double, magnitude: Double) {
      self.name = name
      self.mean = mean
      self.magnitude = magnitude
    }
  }

  /// From a picture of 8-bit channels to the tensor the model takes:
  /// resize and crop, order the channels, map 0…255 linearly to `range`, subtract `mean`, divide by `standardDeviation`.
  public struct Preprocessing: Codable, Hashable, Sendable {
    /// The channels of the model's input, first to last; raw values are what a file says.
    public enum ChannelOrder: String, Codable, Sendable {
      /// Red, green, blue.
      case rgb = "RGB"
      /// Blue, green, red, as networks from Caffe take them.
      case bgr = "BGR"
      /// One channel of grey.
      case grey = "L"
    }

    /// Rows of the model's input, in pixels; nil where pictures of any size are taken.
    public var height: Int?
    /// Columns of the model's input, in pixels; nil with ``height``.
    public var width: Int?
    /// Pixels of the shorter side after a resize, before the centre is cropped where there are a height and a width; nil to resize straight
    /// to those, or not at all.
    public var resizeShorterSide: Int?
    /// The most pixels of the longer side after that resize: the shorter one gets less where it would have more. Nil for any number.
    public var longestSide: Int?
    /// `bilinear`, `bicubic`, `nearest`; antialiased when it shrinks.
    public var interpolation: String?
    /// `torchvision` (when absent) or `nearest`: which way the long side and the crop's start round.
    public var rounding: String?
    /// The channels that a picture is brought to, which also number those of `mean` and `standardDeviation`.
    public var channels: ChannelOrder
    /// The values that 0 and 255 become.
    public var range: [Float]
    /// `fixed` (when absent) for ``mean`` and ``standardDeviation``, or `picture` for those of each picture's own channels.
    public var statistics: String?
    /// What is subtracted per channel, in the channel order above and on the scale of `range`; empty for 0.
    public var mean: [Float]
    /// What is divided by per channel, after the subtraction; empty for 1.
    public var standardDeviation: [Float]

    /// A preprocessing; `mean` and `standardDeviation` take a value per channel or none.
    public init(
      height: Int? = nil, width: Int? = nil, channels: ChannelOrder = .rgb,
      range: ClosedRange<Float> = 0...1, mean: [Float] = [], standardDeviation: [Float] = [],
      resizeShorterSide: Int? = nil, longestSide: Int? = nil, interpolation: String? = nil,
      rounding: String? = nil, statistics: String? = nil
    ) {
      self.height = height
      self.width = width
      self.channels = channels
      self.range = [range.lowerBound, range.upperBound]
      self.mean = mean
      self.standardDeviation = standardDeviation
      self.resizeShorterSide = resizeShorterSide
      self.longestSide = longestSide
      self.interpolation = interpolation
      self.rounding = rounding
      self.statistics = statistics
    }

    /// As in a file, where absent means and deviations change nothing.
    public init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      func optional<Value: Decodable>(_ type: Value.Type, _ key: CodingKeys) throws -> Value? {
        try container.decodeIfPresent(type, forKey: key)
      }
      height = try optional(Int.self, .height)
      width = try optional(Int.self, .width)
      resizeShorterSide = try optional(Int.self, .resizeShorterSide)
      longestSide = try optional(Int.self, .longestSide)
      interpolation = try optional(String.self, .interpolation)
      rounding = try optional(String.self, .rounding)
      statistics = try optional(String.self, .statistics)
      channels = try container.decode(ChannelOrder.self, forKey: .channels)
      range = try container.decode([Float].self, forKey: .range)
      mean = try optional([Float].self, .mean) ?? []
      standardDeviation = try optional([Float].self, .standardDeviation) ?? []
    }

    private enum CodingKeys: String, CodingKey {
      case height, width
      case resizeShorterSide = "resize_shorter_side"
      case longestSide = "longest_side"
      case interpolation, rounding, channels, range, statistics, mean
      case standardDeviation = "std"
    }
  }

  private enum CodingKeys: String, CodingKey {
    case formatVersion = "format_version"
    case model, dialect, configuration, task
    case taskSettings = "task_settings"
    case numClasses = "num_classes"
    case preprocessing, labels
    case labelOffset = "label_offset"
    case outputs, source, licence, metrics, stages
    case dataSHA256 = "data_sha256"
    case keras
  }
}

extension PortableMetadata {
  /// What the text is called in the metadata of a safetensors file and among the root attributes of an HDF5 file.
  static let key = "aviary"

  /// Reads the JSON text; throws ``WeightsError`` when it is damaged or of a newer version.
  init(text: String) throws {
    let metadata = try JSONValue.decode(PortableMetadata.self, from: Array(text.utf8), what: "the metadata")
    guard metadata.formatVersion <= Self.currentVersion else {
      throw WeightsError(
        .unsupported,
        "format version \(metadata.formatVersion) is newer than \(Self.currentVersion), the newest known")
    }
    self = metadata
  }

  /// The JSON text for a root attribute of an HDF5 file, which frameworks ignore; nil when it would not fit into one (64 KiB).
  ///
  /// What describes the other container (its digest, the layers of a Keras file) is left out.
  func attributeText() throws -> String? {
    var metadata = self
    metadata.dataSHA256 = nil
    metadata.keras = nil
    let text = try JSONValue.text(of: metadata)
    return text.utf8.count < 60_000 ? text : nil
  }
}
