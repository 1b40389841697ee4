import Aviary
import Foundation

/// The classifier that is to learn a folder's classes.
enum FinetunedClassifier {
  /// The network with a head for the folder's classes: its own form with `--classes`, else linear layers behind a stage.
  static func prepared(
    _ name: String, _ folder: String, _ arguments: Arguments
  ) throws -> (LoadedClassifier, any Dataset) {
    if arguments.has("from-scratch") { return try fromScratch(name, folder, arguments) }
    guard let classes = try arguments.adaptation.classes else {
      let branch = arguments.string("branch")
      let pretrained = try arguments.model(name, branch.map { .through($0) } ?? .features)
      let data = try LabelledData.forTraining(folder, pretrained)
      let widths = try head(arguments.string("head"), classes: data.classNames.count, folder: folder)
      return (
        try pretrained.withHead(
          widths, branch: branch, junction: arguments.has("flatten") ? .flatten : .average,
          labels: data.classNames), data
      )
    }
    guard !arguments.has("head"), !arguments.has("branch"), !arguments.has("flatten") else {
      throw UsageError(
        "--classes keeps the model's own form of head: it goes with none of --head, --branch and --flatten")
    }
    var loaded = try arguments.model(name)
    let data = try LabelledData.forTraining(folder, loaded)
    guard data.classNames.count == classes else {
      throw UsageError("--classes is \(classes), but \(folder) has \(data.classNames.count)")
    }
    loaded.labels = data.classNames
    return (loaded, data)
  }

  private static func head(_ text: String?, classes: Int, folder: String) throws -> [Int] {
    guard let text else { return [classes] }
    let widths = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
    guard widths.allSatisfy({ 1...1_000_000 ~= $0 }), widths.last == classes else {
      throw UsageError(
        "--head takes widths of which the last is the number of classes, \(classes) in \(folder), not \(text)"
      )
    }
    return widths
  }

  /// The network's own form with first values, for as many classes as the folder has: what fine-tuning is compared with.
  private static func fromScratch(
    _ name: String, _ folder: String, _ arguments: Arguments
  ) throws -> (LoadedClassifier, any Dataset) {
    for option in ["weights", "freeze", "head", "branch", "flatten", "classes"] where arguments.has(option) {
      throw UsageError(
        "--from-scratch begins with first values of the whole network: it goes not with --\(option)")
    }
    let entry = try Catalogue.selection(name).entry
    var adaptation = try arguments.adaptation
    let data = try LabelledData.forTraining(folder, try Zoo.untrained(entry, adaptation))
    adaptation.classes = data.classNames.count
    var loaded = try Zoo.untrained(entry, adaptation)
    loaded.labels = data.classNames
    return (loaded, data)
  }
}
