import AviaryLayers
import AviaryTensors
import AviaryWeights
import Foundation

extension Tensor {
  /// The picture that files of weights are compared on: 1×C×H×W values from -2 up to 2 that any language can make.
  package static func deterministicPicture(_ shape: Shape) -> Tensor {
    Tensor(deterministicValues(shape.elementCount).map { 4 * $0 - 2 }, shape: [1] + shape)
  }
}

/// Mean and magnitude of what a stage of a network returns.
package typealias StageStatistics = PortableMetadata.StageStatistics

extension StageStatistics {
  init(_ name: String, _ output: Tensor) {
    var (sum, absolute) = (0.0, 0.0)
    let values = output.values()
    for value in values {
      sum += Double(value)
      absolute += Double(abs(value))
    }
    let count = Double(max(values.count, 1))
    self.init(name: name, mean: (sum / count).shortened, magnitude: (absolute / count).shortened)
  }

  /// Rounding differs between machines by far less than this share of the magnitude, and other networks by far more.
  static let tolerance = 2e-4

  var isFinite: Bool { mean.isFinite && magnitude.isFinite }

  /// Whether another computation of the same stage can have given these numbers. What is infinite or no number agrees with nothing:
  /// two stages that overflow tell nothing about the weights.
  func agrees(with other: StageStatistics) -> Bool {
    guard isFinite, other.isFinite else { return false }
    let allowed = Self.tolerance * max(magnitude, other.magnitude) + 1e-12
    return name == other.name && abs(mean - other.mean) <= allowed
      && abs(magnitude - other.magnitude) <= allowed
  }
}

extension Double {
  /// With nine significant digits, more than differ between machines anyway.
  fileprivate var shortened: Double { Double(String(format: "%.9g", self)) ?? self }
}

extension StagedModel {
  /// What each stage returns for an input, in numbers. The model is put into evaluation mode.
  package func stageStatistics(_ input: Tensor) -> [StageStatistics] {
    evaluate()
    return withExactArithmetic {
      var value = input
      return stages.map { stage in
        value = stage(value)
        return StageStatistics(stage.name, value)
      }
    }
  }
}

extension LoadedClassifier {
  /// What each stage returns for the deterministic picture, in numbers.
  package func stageStatistics() -> [StageStatistics] {
    model.stageStatistics(.deterministicPicture(inputShape))
  }
}

extension LoadedNetwork {
  /// What each stage of a network that has some, or each stretch of another one and its outputs, returns for the example inputs, in numbers.
  package func stageStatistics() -> [StageStatistics] { stageStatistics(of: network) }

  /// The same for another network with this one's signature.
  func stageStatistics(of network: any Network) -> [StageStatistics] {
    let inputs = exampleInputs()
    if let staged = network as? any StagedModel { return staged.stageStatistics(inputs["input"]) }
    var statistics: [StageStatistics] = []
    withExactArithmetic {
      network.visitStretches(inputs) { name, result in
        statistics.append(StageStatistics(name, result.cast(to: .float32)))
      }
    }
    return statistics
  }
}

extension [StageStatistics] {
  /// For a file; nil when a stage overflows, which JSON cannot say.
  var storable: [StageStatistics]? {
    allSatisfy(\.isFinite) ? self : nil
  }
}

extension Zoo {
  /// What the stages of a model with a file's weights return, once these are rounded to `floats`; nil when that cannot be stored.
  package static func stages(
    _ entry: ZooEntry, _ file: WeightFile, roundedTo floats: DType?, allowing: Allowance = []
  ) throws -> [StageStatistics]? {
    let loaded = try network(entry, file, allowing: allowing)
    if let floats { loaded.network.round(to: floats) }
    return loaded.stageStatistics().storable
  }
}
