import AviaryTensors
import Foundation

/// The index of a model whose weights are spread over several files, as Hugging Face and Keras 3 write it:
/// `{"metadata": {"total_size": …}, "weight_map": {"name": "file", …}}`.
struct ShardIndex {
  /// What is where, in the index's order. Keras lists groups of variables, which may be in several files.
  let places: [(name: String, files: [String])]
  /// The files, each once, in the order in which they are first mentioned.
  let files: [String]

  private static let maximumFiles = 10_000

  /// Reads the JSON text; throws ``WeightsError`` when it is no index, or names files that are not beside it.
  init(_ text: [UInt8]) throws {
    guard case .object(let members) = try JSONScanner.scan(text),
      case .object(let map)? = members.first(where: { $0.key == "weight_map" })?.value
    else { throw WeightsError(.unsupported, "a JSON text that is no index of weights: it has no weight_map") }
    var seen: Set<String> = []
    var files: [String] = []
    places = try map.map { name, value in
      let places = try Self.files(value, of: name)
      for file in places where seen.insert(file).inserted { files.append(file) }
      return (name, places)
    }
    guard files.count <= Self.maximumFiles else {
      throw WeightsError(.refused, "the index names \(files.count) files")
    }
    self.files = files
  }

  private static func files(_ value: JSONScanner.Value, of name: String) throws -> [String] {
    let values: [JSONScanner.Value] = if case .array(let values) = value { values } else { [value] }
    return try values.map { value in
      guard case .string(let file) = value else {
        throw WeightsError(.malformed, "weight_map \(name.quoted) is not the name of a file")
      }
      // An index must not lead to files elsewhere.
      guard !file.isEmpty, file != ".", file != "..", !file.contains("/"), !file.contains("\\"),
        !file.contains("\0")
      else {
        throw WeightsError(
          .refused, "weight_map \(name.quoted) leads to \(file.quoted), which is not a file beside the index")
      }
      return file
    }
  }

  /// The one index in a folder, or its one file of weights; throws ``WeightsError`` when there is none or a choice.
  static func file(inFolder path: String) throws -> String {
    guard let entries = try? FileManager.default.contentsOfDirectory(atPath: path) else {
      throw WeightsError(.unreadable, "the folder cannot be read", file: path)
    }
    // Hidden files are other programs' notes: macOS puts one beside each file that it copies to a foreign disk.
    let names = entries.filter { !$0.hasPrefix(".") }.sorted()
    for endings in [[".index.json", ".weights.json"], [".safetensors", ".keras", ".h5"]] {
      let found = names.filter { name in endings.contains { name.hasSuffix($0) } }
      if found.count == 1 { return URL(fileURLWithPath: path).appendingPathComponent(found[0]).path }
      if found.count > 1 {
        throw WeightsError(
          .unsupported,
          "the folder has several files of weights; name one: \(found.prefix(5).joined(separator: ", "))",
          file: path)
      }
    }
    throw WeightsError(
      .unsupported, "the folder has no index of weights (model.safetensors.index.json) and no weights",
      file: path)
  }
}
