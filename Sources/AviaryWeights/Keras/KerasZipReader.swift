import AviaryTensors

/// Reads the `.keras` files of Keras 3: a zip file with the model's configuration and its weights.
///
/// The configuration is data. It says which layers there are and of which class, and nothing in it is executed.
enum KerasZipReader {
  static let configuration = "config.json"
  private static let metadata = "metadata.json"
  private static let weights = "model.weights"

  private struct Metadata: Decodable {
    let version: String?
    let date: String?

    enum CodingKeys: String, CodingKey {
      case version = "keras_version"
      case date = "date_saved"
    }
  }

  static func read(_ file: FileWindow, _ directory: ZipDirectory) throws -> WeightArchive {
    let config = try directory.member(configuration).map { try text($0, file) }
    var archive = try weights(file, directory)
    var structure = archive.keras ?? KerasStructure(layout: .attributePaths, layers: [])
    if let config {
      // Layers of nested models are counted on their own, in another list.
      if structure.layers.allSatisfy({ ($0.path ?? "").split(separator: "/").count <= 2 }) {
        structure = KerasLayerNumbers(KerasConfiguration.layers(in: config, file.budget)).named(structure)
      }
      let classes = KerasConfiguration.classNames(in: config, file.budget)
      for index in structure.layers.indices {
        structure.layers[index].className = classes[structure.layers[index].name]
      }
      structure.modelConfig = config
    }
    if let member = directory.member(metadata) {
      let text = Array(try text(member, file).utf8)
      let facts = try JSONValue.decode(Metadata.self, from: text, what: metadata)
      structure.version = facts.version ?? structure.version
      archive.metadata["date_saved"] = facts.date
    }
    if archive.keras != nil { archive.keras = structure }
    return archive
  }

  private static func weights(_ file: FileWindow, _ directory: ZipDirectory) throws -> WeightArchive {
    if let member = directory.member(weights + ".h5") {
      let window = try member.unpacked(from: file)
      do {
        return try HDF5Reader.read(window)
      } catch let error as WeightsError {
        throw error.inPart(member.name.quoted)
      }
    }
    if let member = directory.member(weights + ".npz") {
      let window = try member.unpacked(from: file)
      do {
        return try NumPyFile.readArchive(window, try ZipDirectory(window))
      } catch let error as WeightsError {
        throw error.inPart(member.name.quoted)
      }
    }
    throw WeightsError(
      .unsupported, "the model has neither \(weights).h5 nor \(weights).npz: it holds no weights")
  }

  private static func text(_ member: ZipDirectory.Member, _ file: FileWindow) throws -> String {
    try member.unpacked(from: file).withBytes { bytes in
      guard let text = String(validating: bytes, as: UTF8.self) else {
        throw WeightsError(.malformed, "\(member.name.quoted) is not UTF-8")
      }
      return text
    }
  }
}
