import AviaryTensors
import Foundation

/// Reads the files that an index names as one archive.
enum ShardReader {
  struct Shards {
    let format: WeightFormat
    let archive: WeightArchive
    /// Bytes of the index and all files.
    let byteCount: Int
    let files: [WeightFile]
  }

  /// - Parameters:
  ///   - index: the text of the index.
  ///   - path: where the index is, and so the files.
  ///   - open: reads one file.
  /// - Throws: ``WeightsError`` when a file is missing or damaged, when a tensor is in none or in two of them, or not where the index says.
  static func read(
    _ text: [UInt8], at path: String, open: (String) throws -> WeightFile
  ) throws -> Shards {
    let index = try ShardIndex(text)
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
    var shards: [(name: String, file: WeightFile)] = []
    for name in index.files {
      let file = folder.appendingPathComponent(name).path
      guard FileManager.default.fileExists(atPath: file) else {
        throw WeightsError(.unreadable, "the file \(name.quoted), which the index names, is missing")
      }
      shards.append((name, try open(file)))
    }
    let isKeras = !shards.isEmpty && shards.allSatisfy { $0.file.format == .kerasPaths }
    let archive = try isKeras ? merged(index, shards) : collected(index, shards)
    return Shards(
      format: isKeras ? .kerasShards : .shards, archive: archive,
      byteCount: shards.reduce(text.count) { $0 + $1.file.byteCount }, files: shards.map(\.file))
  }

  // MARK: By tensor

  /// Tensors in the order of the index, which must list each of them with the one file that has it.
  private static func collected(
    _ index: ShardIndex, _ shards: [(name: String, file: WeightFile)]
  ) throws -> WeightArchive {
    var owners: [String: String] = [:]
    for (shard, file) in shards {
      for tensor in file.archive.names {
        if let other = owners.updateValue(shard, forKey: tensor) {
          throw WeightsError(
            .malformed, "tensor \(tensor.quoted) is in two files, \(other.quoted) and \(shard.quoted)")
        }
      }
    }
    let archives = Dictionary(uniqueKeysWithValues: shards.map { ($0.name, $0.file.archive) })
    var result = WeightArchive()
    for (tensor, files) in index.places {
      guard files.count == 1, let archive = archives[files[0]], archive.spec(tensor) != nil else {
        throw WeightsError(
          .malformed,
          "tensor \(tensor.quoted) is not in \(files.first?.quoted ?? "any file"), as the index says")
      }
      try result.append(tensor, from: archive, tensor)
    }
    let listed = Set(result.names)
    if let (tensor, shard) = owners.filter({ !listed.contains($0.key) }).min(by: { $0.key < $1.key }) {
      throw WeightsError(
        .malformed, "\(shard.quoted) has a tensor that the index does not list: \(tensor.quoted)")
    }
    for (_, file) in shards { result.metadata.merge(file.archive.metadata) { first, _ in first } }
    return result
  }

  // MARK: Keras

  /// The layers of all files, those that are spread over several put together again.
  private static func merged(
    _ index: ShardIndex, _ shards: [(name: String, file: WeightFile)]
  ) throws -> WeightArchive {
    var result = WeightArchive()
    var structure = KerasStructure(layout: .attributePaths, version: "3", layers: [])
    var positions: [String: Int] = [:]
    var holders: [String: Set<String>] = [:]
    for (shard, file) in shards {
      for tensor in file.archive.names { try result.append(tensor, from: file.archive, tensor) }
      for layer in file.archive.keras?.layers ?? [] {
        let path = layer.path ?? ""
        holders["/" + (path.isEmpty ? "vars" : path + "/vars"), default: []].insert(shard)
        if let position = positions[path] {
          structure.layers[position].weights += layer.weights
        } else {
          positions[path] = structure.layers.count
          structure.layers.append(layer)
        }
      }
    }
    for (group, files) in index.places {
      for file in files where holders[group]?.contains(file) != true && !group.hasPrefix("/optimizer") {
        throw WeightsError(
          .malformed, "the group \(group.quoted) is not in \(file.quoted), where the index says it is")
      }
    }
    for position in structure.layers.indices {
      structure.layers[position].weights.sort { NumericOrder.precedes($0.name, $1.name) }
    }
    structure.layers.sort { NumericOrder.precedes($0.path ?? "", $1.path ?? "") }
    result.keras = structure
    return result
  }
}
