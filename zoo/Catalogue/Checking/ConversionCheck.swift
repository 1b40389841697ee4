import AviaryLayers
import AviaryTensors
import AviaryWeights
import Foundation

/// Proof that a converted file holds what its source holds.
package struct ConversionCheck: Sendable {
  /// Tensors that were read back and are bit-equal to the source's, rounded to the type they are stored in.
  package let tensorCount: Int
  /// Tensors of the source that the result does not hold.
  package let leftOut: [String]
  /// Tensors of the result that follow from the architecture and were not in the source.
  package let madeAnew: [String]
  /// The outputs of the source's network and the result's for the deterministic picture; nil for files of no model of the zoo.
  package let outputs: Outputs?

  /// How far apart the outputs of the two networks are, as absolute values.
  package struct Outputs: Sendable {
    /// The largest difference, once the source's weights are rounded as the result's are.
    package let difference: Float
    /// The largest difference from the source's own weights: what rounding costs.
    package let roundingDifference: Float
    /// The largest output.
    package let largest: Float
  }

  /// Equal weights give equal outputs but for the order in which threads add up.
  private static let tolerance: Float = 1e-5

  /// Compares the file at `path` with the source it was written from; floating-point tensors were to be stored as `floats`.
  ///
  /// Throws `WeightsError` naming what differs, or what no network can use, unless `allowing` says that it may be there.
  package init(
    of source: WeightFile, at path: String, floats: DType?, model entry: ZooEntry?,
    allowing: Allowance = []
  ) throws {
    let result = try WeightFile.open(path)
    try source.requireIntact()
    guard let entry else {
      tensorCount = try Self.compare(source.archive, result.archive, floats, path)
      (leftOut, madeAnew) = ([], [])
      outputs = nil
      return
    }
    let described = try Zoo.described(entry, source, allowing: allowing)
    tensorCount = try Self.compare(
      described.weights, try Zoo.described(entry, result).weights, floats, path)
    (leftOut, madeAnew) = (described.leftOut, described.madeAnew)
    outputs = try Self.outputs(
      try Zoo.network(entry, source, allowing: allowing), try Zoo.network(entry, result, allowing: allowing),
      floats, path)
  }

  // MARK: Tensors

  private static func compare(
    _ source: WeightArchive, _ result: WeightArchive, _ floats: DType?, _ path: String
  ) throws -> Int {
    let (source, result) = (try named(source), try named(result))
    // Formats that spell names in their own way keep the order.
    let isNamed = source.names.allSatisfy { result.spec($0) != nil }
    guard source.count == result.count else {
      throw WeightsError(
        .mismatched, "\(result.count) tensors can be read back, \(source.count) were written", file: path)
    }
    for (index, name) in source.names.enumerated() {
      let counterpart = isNamed ? name : result.names[index]
      try compare(source[name]!, result[counterpart]!, floats, name, path)
    }
    return source.count
  }

  /// Keras' formats differ in how they spell names and order the weights of a layer.
  private static func named(_ archive: WeightArchive) throws -> WeightArchive {
    archive.keras == nil ? archive : try archive.withCanonicalKerasNames()
  }

  private static func compare(
    _ original: Tensor, _ found: Tensor, _ floats: DType?, _ name: String, _ path: String
  ) throws {
    guard original.shape == found.shape else {
      throw WeightsError(
        .mismatched,
        "the tensor \(name) reads back as \(found.shape.shapeText) instead of \(original.shape.shapeText)",
        file: path)
    }
    let isFloat = original.dtype.isFloatingPoint
    let rounded = isFloat ? original.cast(to: floats ?? original.dtype) : original
    if let defect = ValueDefect.all(in: [(name, found)]).first, defect.kind == .notFinite,
      defect.count != ValueDefect.all(in: [(name, original)]).first?.count
    {
      throw WeightsError(.nonFinite, "what was finite is so no more: \(defect)", file: path)
    }
    // Keras' older format has no bfloat16 and stores the values as they were.
    let allowed = [rounded.cast(to: found.dtype), original.cast(to: found.dtype)]
    guard allowed.contains(where: { $0.hasSameBytes(as: found) }) else {
      let difference = (rounded.cast(to: .float32) - found.cast(to: .float32)).largest
      throw WeightsError(
        .mismatched, "the tensor \(name) reads back with other values: they differ by up to \(difference)",
        file: path)
    }
  }

  // MARK: Outputs

  private static func outputs(
    _ source: LoadedNetwork, _ result: LoadedNetwork, _ floats: DType?, _ path: String
  ) throws -> Outputs {
    let inputs = source.exampleInputs()
    /// All outputs one after another.
    func run(_ loaded: LoadedNetwork) -> Tensor {
      loaded.network.evaluate()
      let outputs = withExactArithmetic { loaded.network(loaded.network.completed(inputs)) }
      return concatenate(outputs.tensors.map { $0.cast(to: .float32).flattened(from: 0) }, axis: 0)
    }
    let found = run(result)
    let original = run(source)
    let roundingDifference = (original - found).largest
    var difference = roundingDifference
    if let floats, floats != .float32, difference > 0 {
      source.network.round(to: floats)
      difference = min(difference, (run(source) - found).largest)
    }
    guard original.largest.isFinite, found.largest.isFinite else {
      throw WeightsError(
        .nonFinite, "the network's outputs are not finite, so that comparing them proves nothing", file: path)
    }
    guard difference <= tolerance * max(original.largest, .leastNormalMagnitude) else {
      throw WeightsError(
        .mismatched,
        "the network gives other outputs: they differ by up to \(difference), the largest is \(original.largest)",
        file: path)
    }
    return Outputs(
      difference: difference, roundingDifference: roundingDifference, largest: original.largest)
  }
}

extension Module {
  /// Rounds all weights to what `type` can hold.
  func round(to type: DType) {
    for entry in stateEntries where !entry.isFixed && entry.value.dtype.isFloatingPoint {
      entry.value = entry.value.cast(to: type).cast(to: .float32)
    }
  }
}

extension Tensor {
  /// The largest absolute value; not a number when one of them is not.
  fileprivate var largest: Float {
    values().reduce(0) { $0.isNaN || $1.isNaN ? .nan : max($0, Swift.abs($1)) }
  }

  fileprivate func hasSameBytes(as other: Tensor) -> Bool {
    guard dtype == other.dtype, shape == other.shape else { return false }
    return withUnsafeBytes { first in
      other.withUnsafeBytes { second in
        first.count == second.count
          && (first.isEmpty || memcmp(first.baseAddress!, second.baseAddress!, first.count) == 0)
      }
    }
  }
}
