import AviaryLayers
import AviaryTensors
import AviaryWeights

/// What a network is made from, by the names that its reference's configuration file uses.
public typealias Settings = [String: JSONValue]

/// The numbers and choices that a family's networks are made from. Decoding takes ``Settings`` and throws ``ConfigurationError`` for what makes
/// no network; what it does not find has the reference's default.
public protocol NetworkConfiguration: Codable, Sendable {
  /// A network with first values.
  func makeNetwork() -> any Network
  /// The same as weights under our names show it by their shapes; what they do not show stays.
  func adopting(_ weights: WeightArchive) -> Self
  /// Settings that no tensor shows, with the values that they have in networks of this family.
  static var doubtful: [(name: String, values: [JSONValue])] { get }
  /// The setting that says how many labels the network tells apart; nil where none does.
  static var labelsSetting: String? { get }
  /// The same network for another number of labels, where no setting of its own says it; nil where there is none. Throws ``ConfigurationError``
  /// for a number that makes none.
  func relabelled(_ count: Int) throws -> Self?
}

extension NetworkConfiguration {
  public static var doubtful: [(name: String, values: [JSONValue])] { [] }
  public static var labelsSetting: String? { nil }
  public func relabelled(_ count: Int) throws -> Self? { nil }
}

/// How a network that is no classifier is made: its settings, and what becomes of them.
public struct Blueprint: Sendable {
  /// All that can be set, with the values that the catalogue's network has.
  public let settings: Settings
  /// Whether a `config.json` beside the weights says them.
  let hasConfigurationFile: Bool
  /// Whether files say all settings, since the catalogue's are of no particular network, or those alone that differ from the catalogue's.
  let tellsAllSettings: Bool
  /// The setting that says how many labels the network tells apart; nil where none does.
  let labelsSetting: String?
  private let decodeAndMake: @Sendable (Settings) throws -> any Network
  private let decodeAndAdopt: @Sendable (Settings, WeightArchive) throws -> Settings
  private let decodeAndRelabel: @Sendable (Settings, Int) throws -> Settings?
  private let complete: @Sendable (Settings) throws -> Settings
  private let doubtful: [(name: String, values: [JSONValue])]

  /// - Parameter hasConfigurationFile: whether a `config.json` beside weights is this network's.
  init<Configuration: NetworkConfiguration>(
    _ configuration: Configuration, hasConfigurationFile: Bool = false, tellsAllSettings: Bool = false
  ) {
    settings = configuration.settings
    labelsSetting = Configuration.labelsSetting
    self.tellsAllSettings = tellsAllSettings
    self.hasConfigurationFile = hasConfigurationFile
    decodeAndMake = { try Configuration(settings: $0).makeNetwork() }
    decodeAndAdopt = { try Configuration(settings: $0).adopting($1).settings }
    decodeAndRelabel = { try Configuration(settings: $0).relabelled($1)?.settings }
    complete = { try Configuration(settings: $0).settings }
    doubtful = Configuration.doubtful
  }

  /// The catalogue's settings with those given in their place. Throws ``ConfigurationError`` for a name that is none of them.
  func settings(with given: Settings) throws(ConfigurationError) -> Settings {
    for name in given.keys.sorted() where settings[name] == nil {
      throw ConfigurationError(
        entry: name, given: given[name]!.shortText,
        expected: "one of \(settings.keys.sorted().joined(separator: ", "))")
    }
    return settings.merging(given) { $1 }
  }

  /// What a configuration file says, with the reference's defaults for the rest.
  func completed(_ file: Settings) throws -> Settings { try complete(file) }

  /// A network with first values.
  func make(_ settings: Settings) throws -> any Network { try decodeAndMake(settings) }

  /// The settings of the same network for another number of labels, and the one that says it; nil where there is no other number.
  func relabelled(_ settings: Settings, labels count: Int) throws -> (settings: Settings, by: String)? {
    if let labelsSetting { return (settings.merging([labelsSetting: .integer(count)]) { $1 }, labelsSetting) }
    guard let result = try decodeAndRelabel(settings, count) else { return nil }
    return (result, result.keys.sorted().first { result[$0] != settings[$0] } ?? "labels")
  }

  /// Networks with first values that differ in one setting which no tensor shows.
  func doubts(about settings: Settings) -> [(setting: String, value: JSONValue, network: any Network)] {
    doubtful.flatMap { name, values in
      values.filter { $0 != settings[name] }.compactMap { value in
        (try? make(settings.merging([name: value]) { $1 })).map { (name, value, $0) }
      }
    }
  }

  /// The settings that weights were made for, as far as their shapes show them.
  func settings(_ settings: Settings, adopting weights: WeightArchive) throws -> Settings {
    try decodeAndAdopt(settings, weights)
  }
}

extension NetworkConfiguration {
  fileprivate init(settings: Settings) throws {
    self = try JSONValue.object(settings).decoded(as: Self.self)
  }

  /// Every setting by its name; a configuration has nothing that JSON cannot say.
  fileprivate var settings: Settings {
    guard case .object(let settings)? = try? JSONValue(encoding: self) else {
      requirementFailure("\(Self.self) does not become settings")
    }
    return settings
  }
}
