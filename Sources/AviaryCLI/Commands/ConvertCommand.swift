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
      "portable, torchvision, keras (.h5), keras3 (.weights.h5) or npz; by default by OUT's ending"),
    Option("model", "NAME", "the model the weights are of; found out where not given"),
    Option("dtype", "TYPE", "f32, f16 or bf16: how floating-point values are stored"),
  ]
  static let example = "aviary convert vgg19_weights.h5 vgg19.safetensors"

  static func run(_ arguments: Arguments) throws {
    let paths = try arguments.operands(2)
    let target = try Target(arguments.string("to"), path: paths[1])
    let floats = try dtype(arguments.string("dtype"))
    let file = try WeightFile.open(paths[0])
    let entry =
      try arguments.string("model").map { try Catalogue.entry($0) } ?? Zoo.identify(file.archive)?.entry
    let archive: WeightArchive
    if let entry {
      let (model, weights) = try Zoo.described(entry, file)
      archive = target.isKeras ? try model.kerasArchive(of: weights) : weights
    } else {
      archive = file.archive
    }
    try WeightFile.write(archive, to: paths[1], as: target.format, floats: floats)
    Console.print(
      "\(paths[1]): \(target.format.summary), \(archive.count) tensors"
        + (entry.map { " of \($0.name)" } ?? ", names kept: not a model of the zoo"))
  }

  private enum Target: String {
    case portable, torchvision, keras, keras3, npz

    init(_ name: String?, path: String) throws {
      if let name {
        guard let target = Target(rawValue: name) else {
          throw UsageError("--to takes portable, torchvision, keras, keras3 or npz, not \(name)")
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
