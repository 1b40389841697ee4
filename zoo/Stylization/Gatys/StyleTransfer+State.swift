import AviaryTensors
import AviaryTraining
import AviaryWeights
import Foundation

extension StyleTransfer {
  /// What a file says beside its tensors.
  private struct Text: Codable, Equatable {
    var network: String
    var options: StyleTransferOptions
    /// Of the pictures.
    var inputs: String
    var level: Int
    var stepsDone: Int
    var losses: [Losses]
    var numbers: [String: Double]
  }

  /// What the text is called among the strings of the file.
  private static let key = "style_transfer"
  private static let optimizerPrefix = "optimizer/"
  private static let pictureName = "picture"

  /// Writes where the run stands, whole or not at all, so that ``restore(from:)`` can go on with it. Throws `WeightsError` when it cannot.
  public func save(to path: String) throws {
    let state = optimizer.state(of: variable)
    var archive = try WeightArchive(
      [(Self.pictureName, variable.picture.value.detached)]
        + state.tensors.map { (Self.optimizerPrefix + $0.name, $0.tensor) })
    archive.portable = PortableMetadata(model: nil)
    let text = Text(
      network: name, options: options, inputs: inputs.digest, level: level, stepsDone: stepsDone,
      losses: losses, numbers: state.numbers)
    archive.metadata[Self.key] = String(decoding: try JSONEncoder().encode(text), as: UTF8.self)
    try WeightFile.write(archive, to: path, as: .portable)
  }

  /// Goes on where a run with the same pictures, network and options stood: to the same picture, bit for bit.
  ///
  /// - Throws: `WeightsError` for a file that is damaged, none of this kind, or of another run.
  public func restore(from path: String) throws {
    let file = try WeightFile.open(path)
    try file.requireIntact()
    guard let json = file.archive.metadata[Self.key] else {
      throw WeightsError(.mismatched, "the file is no state of a style transfer", file: path)
    }
    guard let text = try? JSONDecoder().decode(Text.self, from: Data(json.utf8)),
      inputs.sizes.indices.contains(text.level), 0...options.steps ~= text.stepsDone,
      text.losses.count == text.level * options.steps + text.stepsDone
    else { throw WeightsError(.malformed, "what the state says of its run makes no sense", file: path) }
    guard text.network == name, text.options == options, text.inputs == inputs.digest else {
      throw WeightsError(
        .mismatched, "the state is of a run with other pictures, another network or other options",
        file: path)
    }
    let targets = text.level == level ? targets : inputs.targets(at: text.level, objective, options)
    guard let picture = file.archive[Self.pictureName], picture.spec == targets.content.spec else {
      throw WeightsError(.malformed, "the state has no picture of \(targets.content.shape)", file: path)
    }
    let variable = PictureVariable(picture)
    let optimizer = Self.makeOptimizer(options, for: picture)
    let tensors = Array(file.archive.entries).filter { $0.name.hasPrefix(Self.optimizerPrefix) }.map {
      (name: String($0.name.dropFirst(Self.optimizerPrefix.count)), tensor: $0.tensor)
    }
    do {
      try optimizer.restore(SavedState(tensors: tensors, numbers: text.numbers), of: variable)
    } catch {
      throw WeightsError(.malformed, "\(error)", file: path)
    }
    (self.targets, self.variable, self.optimizer) = (targets, variable, optimizer)
    (level, stepsDone, losses) = (text.level, text.stepsDone, text.losses)
  }
}
