import AviaryLayers
import AviaryWeights

extension FastStyle.Configuration: NetworkConfiguration {
  private enum CodingKeys: String, CodingKey { case filters }

  /// Throws ``ConfigurationError`` for what makes no network.
  public init(from decoder: any Decoder) throws {
    var entries = try ConfigurationEntries(from: decoder)
    self.init(filters: try entries.integer("filters", 1...4096, missing: 32))
    try entries.finish()
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(filters, forKey: .filters)
  }

  public func makeNetwork() -> any Network { FastStyle(self) }

  public func adopting(_ weights: WeightArchive) -> Self {
    Self(filters: min(weights.extent(0, of: "conv1.conv2d.weight") ?? filters, 4096))
  }
}

extension EngstromStyle {
  /// What differs between networks of this form.
  public struct Configuration: NetworkConfiguration, Hashable {
    /// The filters of the first convolution; others have two and four times as many.
    public var filters = 32

    private enum CodingKeys: String, CodingKey { case filters }

    init() {}

    /// Throws ``ConfigurationError`` for what makes no network.
    public init(from decoder: any Decoder) throws {
      var entries = try ConfigurationEntries(from: decoder)
      filters = try entries.integer("filters", 1...4096, missing: filters)
      try entries.finish()
    }

    public func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(filters, forKey: .filters)
    }

    public func makeNetwork() -> any Network { EngstromStyle(filters: filters) }

    public func adopting(_ weights: WeightArchive) -> Self {
      var result = self
      result.filters = min(weights.extent(0, of: "conv1.weight") ?? filters, 4096)
      return result
    }
  }
}

extension FastStyle {
  static let entries = [
    ZooEntry(
      "fast_style", .stylization,
      [
        // Old files hold running statistics, which instance normalization never used.
        Dialect(
          "pytorch", Configuration(), binding,
          leavesOut: { $0.hasSuffix(".running_mean") || $0.hasSuffix(".running_var") }),
        Dialect("engstrom", nameMaps: ["tensorflow_fast_style"], EngstromStyle.Configuration(), binding),
      ])
  ]

  /// Colours from 0 to 255, at whatever size the pictures have.
  private static let binding = TaskBinding(preprocessing: .init(range: 0...255))
}

extension FastStyle: StylingNetwork {
  static let sideMultiple = 4
  static let smallestSide = 5
  public func check(_ inputs: NamedTensors) throws(SignatureError) { try checkSides(of: inputs) }
}

extension EngstromStyle: StylingNetwork {
  static let sideMultiple = 4
  static let smallestSide = 1
  public func check(_ inputs: NamedTensors) throws(SignatureError) { try checkSides(of: inputs) }
}
