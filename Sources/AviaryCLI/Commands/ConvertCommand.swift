import Aviary
import Foundation

enum ConvertCommand: Command {
  static let name = "convert"
  static let summary =
    "Converts weights between formats, tensor by tensor. Weights of a model of the zoo get that model's names and layouts."
  static let operands = "IN OUT"
  static let options = [
    Option(
      "to", "FORMAT",
      "portable, torchvision, keras (.h5), keras3 (.weights.h5), npz or darknet (.weights); by default by OUT's ending"
    ),
    Option(
      "model", "NAME",
      "the model the weights are of, also with a dialect (resnet50.tv_v2); found out where not given"),
    Option("dtype", "TYPE", "f32, f16 or bf16: how floating-point values are stored"),
    Option(
      "check", nil,
      "read OUT back, compare every tensor and the outputs of both networks, and keep OUT only if all are equal"
    ), .allowNonfinite, .ignoreUnexpected,
  ]
  static let example = "aviary convert vgg19_weights.h5 vgg19.safetensors"

  static func run(_ arguments: Arguments) throws {
    let paths = try arguments.operands(2)
    let target = try Target(arguments.string("to"), path: paths[1])
    let floats = try dtype(arguments.string("dtype"))
    let file = try WeightFile.open(try PipedFile.weights(paths[0]))
    // The digest of the result would vouch for what is damaged.
    try file.requireIntact()
    let allowing = arguments.allowance
    let entry =
      try arguments.string("model").map { try Catalogue.selection($0).entry }
      ?? Zoo.identify(file.archive, allowing: allowing)?.entry
    var (archive, losses) = try archive(entry, file, target, allowing)
    if let told = try archive.requireUsableValues(file: paths[0], allowing: allowing) { losses.append(told) }
    if floats ?? .float32 != .float32 { archive.portable?.stages = nil }
    let summary =
      "\(paths[1]): \(target.format.summary), \(archive.count) tensors"
      + (entry.map { " of \($0.name)" } ?? ", names kept: not a model of the zoo")
    let isChecked = arguments.has("check")
    if isChecked, let entry, target == .portable {
      archive.portable?.stages = try Zoo.stages(entry, file, roundedTo: floats, allowing: allowing)
    }
    let check = try WeightFile.write(archive, to: paths[1], as: target.format, floats: floats) { path in
      let check =
        try isChecked
        ? ConversionCheck(of: file, at: path, floats: floats, model: entry, allowing: allowing) : nil
      try file.requireUnchanged()
      return check
    }
    let sentences = [summary] + losses + (check.map { [text($0, floats)] } ?? [])
    Console.print(sentences.joined(separator: "\n"))
  }

  /// What is written, and a sentence for everything that is not as it is in the file.
  private static func archive(
    _ entry: ZooEntry?, _ file: WeightFile, _ target: Target, _ allowing: Allowance
  ) throws -> (WeightArchive, losses: [String]) {
    let others = file.archive.metadata["not_taken"].map { ["not taken from the file: \($0)"] } ?? []
    guard let entry else { return (file.archive, others) }
    let described = try Zoo.described(entry, file, allowing: allowing)
    func sentence(_ what: String, _ names: [String]) -> [String] {
      names.isEmpty
        ? [] : ["\(what): \(names.count) \(names.count == 1 ? "tensor" : "tensors"), \(shortened(names))"]
    }
    let losses =
      others + sentence("left out, since the model does not have them", described.leftOut)
      + sentence("made anew, since the architecture gives them", described.madeAnew)
      + (target == .portable ? described.assumptions : [])
    if target == .darknet { return (try described.darknetArchive(), losses) }
    guard target.isKeras else { return (described.weights, losses) }
    return (try described.kerasArchive(), losses)
  }

  private static func shortened(_ names: [String]) -> String {
    names.prefix(4).map(\.shown).joined(separator: ", ") + (names.count > 4 ? ", …" : "")
  }

  private static func text(_ check: ConversionCheck, _ floats: DType?) -> String {
    let tensors =
      "checked: \(check.tensorCount) tensors read back bit-equal"
      + (floats.map { ", floating-point values rounded to \($0)" } ?? "")
    guard let outputs = check.outputs else {
      return tensors + "; outputs were not compared, since the file is of no model of the zoo"
    }
    let rounding =
      outputs.roundingDifference > outputs.difference
      ? "; rounding the weights changes outputs by up to \(outputs.roundingDifference)" : ""
    return tensors
      + "; outputs of both networks differ by at most \(outputs.difference), the largest is \(outputs.largest)"
      + rounding
  }

  private enum Target: String {
    case portable, torchvision, keras, keras3, npz, darknet

    init(_ name: String?, path: String) throws {
      if let name {
        guard let target = Target(rawValue: name) else {
          throw UsageError("--to takes portable, torchvision, keras, keras3, npz or darknet, not \(name)")
        }
        self = target
        return
      }
      let path = path.lowercased()
      if path.hasSuffix(".safetensors") {
        self = .portable
      } else if path.hasSuffix(".weights.h5") {
        self = .keras3
      } else if path.hasSuffix(".h5") || path.hasSuffix(".hdf5") {
        self = .keras
      } else if path.hasSuffix(".npz") {
        self = .npz
      } else if path.hasSuffix(".weights") {
        self = .darknet
      } else {
        throw UsageError("the ending of \(path) names no format; say it with --to")
      }
    }

    var isKeras: Bool { self == .keras || self == .keras3 }

    /// torchvision's names are ours.
    var format: WeightFormat {
      switch self {
      case .portable: .portable
      case .torchvision: .safetensors
      case .keras: .kerasWeights
      case .keras3: .kerasPaths
      case .npz: .npz
      case .darknet: .darknet
      }
    }
  }

  private static func dtype(_ name: String?) throws -> DType? {
    guard let name else { return nil }
    switch name {
    case "f32": return .float32
    case "f16": return .float16
    case "bf16": return .bfloat16
    default: throw UsageError("--dtype takes f32, f16 or bf16, not \(name)")
    }
  }
}
