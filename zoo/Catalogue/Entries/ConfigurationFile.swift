import AviaryWeights
import Foundation

/// A JSON file of settings that lies beside weights, as diffusers and transformers write them.
struct ConfigurationFile {
  /// Where it is.
  let path: String
  private let entries: Settings

  /// The most bytes of a file that is read: the longest published ones have some ten thousand.
  private static let mostBytes = 1 << 24

  /// The file called `name` in the folder of `weights`; nil when there is none.
  ///
  /// - Throws: `WeightsError` when it is no JSON object.
  static func beside(_ weights: String, named name: String = "config.json") throws -> ConfigurationFile? {
    let path = URL(fileURLWithPath: weights).deletingLastPathComponent().appendingPathComponent(name).path
    return FileManager.default.fileExists(atPath: path) ? try ConfigurationFile(path) : nil
  }

  /// - Throws: `WeightsError` when it cannot be read or is no JSON object.
  init(_ path: String) throws {
    self.path = path
    let text = try Self.text(path, "the configuration")
    guard case .object(let entries)? = try? JSONValue(text: text) else {
      throw WeightsError(.malformed, "the configuration is no JSON object", file: path)
    }
    self.entries = entries
  }

  /// The text of a file that is called `what` in messages. Throws `WeightsError` when it cannot be read.
  static func text(_ path: String, _ what: String) throws -> String {
    let size = try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
    guard let size, size <= mostBytes, let data = FileManager.default.contents(atPath: path) else {
      throw WeightsError(.unreadable, "\(what) cannot be read", file: path)
    }
    return String(decoding: data, as: UTF8.self)
  }

  /// What `read` makes of the entries. Throws ``ConfigurationError`` with the file's name in it.
  func settings(_ read: (Settings) throws -> Settings) throws -> Settings {
    do {
      return try read(entries)
    } catch let error as ConfigurationError {
      throw ConfigurationError(entry: "\(path): \(error.entry)", given: error.given, expected: error.expected)
    }
  }
}
