import AviaryWeights
import Foundation

/// A file beside weights in formats that hold tensors alone, which says something that is bound to them. Portable files say it themselves.
struct CompanionFile: Sendable {
  /// Where it is, from the folder of the weights: the first place with a file counts. A `*` stands for the name of the weights' file
  /// without its ending.
  let places: [String]
  /// What is taken where there is none, as a sentence for the user; nil where nothing is.
  let missing: @Sendable (PortableMetadata) -> String?
  /// Writes what the file at a path says into the metadata. Throws `WeightsError` when it makes no sense.
  let read: @Sendable (_ path: String, inout PortableMetadata) throws -> Void

  /// The file that belongs to the weights at `path`; nil when there is none.
  func path(beside path: String) -> String? {
    let file = URL(fileURLWithPath: path)
    let name = file.deletingPathExtension().lastPathComponent
    return places.lazy.map { place in
      file.deletingLastPathComponent()
        .appendingPathComponent(place.replacingOccurrences(of: "*", with: name)).standardized.path
    }.first { FileManager.default.fileExists(atPath: $0) }
  }
}

extension LoadedNetwork {
  /// Binds what files beside the weights at `path` say.
  mutating func take(companionsOf path: String) throws {
    guard case .network(_, let binding) = dialect.form else { return }
    for companion in binding.companions {
      if let file = companion.path(beside: path) {
        try companion.read(file, &metadata)
      } else if let told = companion.missing(metadata) {
        assumptions.append(told)
      }
    }
  }
}
