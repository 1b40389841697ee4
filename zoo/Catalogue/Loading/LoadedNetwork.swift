import AviaryLayers
import AviaryTensors
import AviaryWeights

/// A network of any task with its weights, and everything that is bound to those, as a portable file says it.
///
/// What is mechanical knows networks on this level only: run, sum up, measure, verify, convert. What the bound numbers mean is for the
/// types that users hold: ``LoadedClassifier`` for classifiers, and those of the other tasks.
public struct LoadedNetwork {
  /// The catalogue's name: `unet`.
  public let name: String
  /// What it is for.
  public let task: ZooTask
  /// The form of the weights.
  public let dialect: Dialect
  /// The network itself; it is shared, not copied, with this value.
  public let network: any Network
  /// What the network was made from, all of it.
  public let settings: Settings
  /// What is bound to the weights: labels, preprocessing, the numbers of the task, source, licence, metrics, and what stages return.
  public package(set) var metadata: PortableMetadata
  /// What the weights' file held and lacked; nil for first values.
  public internal(set) var report: LoadReport?
  /// What of the file was left out, adapted, or wrong and allowed: a sentence for each.
  public internal(set) var changes: [String] = []
  /// What no file said and the catalogue knows, though it may be otherwise for these weights: a sentence for each.
  public internal(set) var assumptions: [String] = []
  /// The shape of the first input, without its batch, where none is given.
  let exampleShape: Shape
  /// A classifier on its own level; nil for other tasks.
  public internal(set) var classifier: LoadedClassifier?

  /// The weights with our names and the metadata of a portable file.
  public func archive() throws -> WeightArchive {
    if let classifier { return try classifier.archive() }
    var archive = try network.archive()
    archive.portable = metadata
    archive.portable?.stages = nil
    return archive
  }

  /// Writes the weights and everything bound to them as a portable file, with what its stages return for fixed inputs.
  ///
  /// - Throws: `WeightsError` when the file cannot be written; nothing is left of it then.
  public func save(to path: String, floats: DType? = nil) throws {
    var archive = try archive()
    // What is rounded gives other numbers.
    if floats ?? .float32 == .float32 { archive.portable?.stages = stageStatistics().storable }
    try WeightFile.write(archive, to: path, as: .portable, floats: floats)
  }

  /// The outputs for inputs from elsewhere, operation by operation: what does not fit is thrown, where calling the network itself would
  /// end the program.
  ///
  /// - Throws: `SignatureError`, or ``UnsuitableInput`` from a classifier.
  public func outputs(for inputs: NamedTensors) throws -> NamedTensors {
    try check(inputs)
    return network(network.completed(inputs))
  }

  /// Throws `SignatureError` unless the network can be called with these tensors, ``UnsuitableInput`` for a classifier.
  ///
  /// - Parameter file: where they are from, for messages.
  public func check(_ inputs: NamedTensors, from file: String? = nil) throws {
    if let input = inputs[ifPresent: "input"] {
      try classifier?.check(input: input.spec, named: file ?? "input")
    }
    do throws(SignatureError) {
      try network.signature.check(inputs)
      try (network as? any SizedNetwork)?.check(inputs)
    } catch {
      let name = (file.map { "\($0): " } ?? "") + error.name
      throw SignatureError(name: name, given: error.given, expected: error.expected)
    }
  }
}

/// A network that does not take every height and width that its signature's free axes allow.
public protocol SizedNetwork: Network {
  /// Throws `SignatureError` for inputs of sizes that the network cannot take, which fit its signature otherwise.
  func check(_ inputs: NamedTensors) throws(SignatureError)
}

extension LoadedNetwork {
  /// Inputs that any language can make, optional ones left out: floating-point ones as ``deterministicValues(_:)`` of 4u − 2, whole
  /// numbers ⌊u·bound⌋, or 0 where there is none.
  ///
  /// - Parameter batch: extent of the axis N.
  public func exampleInputs(batch: Int = 1) -> NamedTensors {
    let signature = network.signature
    var extents = ["N": batch]
    for (axis, extent) in zip(signature.inputs[0].axes.dropFirst(), exampleShape) {
      if case .free(let letter) = axis { extents[letter] = extent }
    }
    return NamedTensors(
      signature.inputs.filter { !$0.isOptional }.map { port in
        let shape = port.axes.map { axis in
          switch axis {
          case .fixed(let extent): extent
          // A second picture's height and width are called h and w.
          case .free(let letter): extents[letter] ?? extents[letter.uppercased()] ?? 1
          }
        }
        return (port.name, port.exampleValues(shape))
      })
  }
}

extension TensorPort {
  fileprivate func exampleValues(_ shape: Shape) -> Tensor {
    let uniform = deterministicValues(shape.elementCount)
    if dtype.isFloatingPoint { return Tensor(uniform.map { 4 * $0 - 2 }, shape: shape) }
    return Tensor(uniform.map { Int64($0 * Float(bound ?? 0)) }, shape: shape).cast(to: dtype)
  }
}

/// Numbers u from 0 to less than 1: number i, from 1, is the upper 24 bits of splitmix64's i-th from the state 0, divided by 2²⁴
/// (Steele, Lea & Flood 2014, "Fast Splittable Pseudorandom Number Generators", figure 15).
func deterministicValues(_ count: Int) -> [Float] {
  var state: UInt64 = 0
  return (0..<count).map { _ in
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return Float((mixed ^ (mixed >> 31)) >> 40) * 0x1p-24
  }
}
