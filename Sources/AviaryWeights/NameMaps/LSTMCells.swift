import AviaryTensors

/// The LSTM layers of frameworks that keep a cell as one kernel and one bias, TensorFlow's `BasicLSTMCell`, which are PyTorch's four
/// tensors here.
///
/// Letters: I features of the input, H units. A kernel is (I+H)×4H, the input's rows above those of the state, with the gates i, j, f, o
/// side by side: input, candidate, forget, output. Ours are 4H×I and 4H×H with the gates i, f, g, o below each other, g being j. What their
/// cell adds to the forget gate's bias before its sigmoid is part of our bias, and the second of our two biases is zero. The rest of a
/// name map knows the four tensors under our names only.
///
/// Kernels go back bit for bit. Biases do as far as adding and subtracting the forget gate's constant does, which rounds; on the way back
/// our two are added up.
struct LSTMCells: Sendable {
  private let kernel: NamePattern
  private let bias: NamePattern
  private let forgetBias: Float
  /// Our names, with `*` for what tells the four tensors apart in the map.
  let ours: [NamePattern]

  /// What stands for the `*` in our names.
  private static let parts = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]
  /// Their place of each of our gates, and our place of each of theirs: f and g have changed places.
  private static let gates = [0, 2, 1, 3]

  /// Throws ``WeightsError`` when a name of the rule does not have one `*`.
  init(_ rule: NameMapDocument.Rule, _ cell: NameMapDocument.LSTMCell) throws {
    func names(_ pattern: String, _ words: [String]) throws -> [NamePattern] {
      let pieces = pattern.split(separator: "*", omittingEmptySubsequences: false)
      guard pieces.count == 2 else {
        throw WeightsError(.malformed, "the rule \(pattern.quoted) for LSTM cells needs one *")
      }
      return try words.map { try NamePattern(pieces.joined(separator: $0)) }
    }
    let theirs = try names(rule.theirs, [cell.kernel, cell.bias])
    (kernel, bias) = (theirs[0], theirs[1])
    ours = try names(rule.ours, Self.parts)
    forgetBias = cell.forgetBias ?? 0
    guard forgetBias.isFinite, kernel.captureNames == ours[0].captureNames else {
      throw WeightsError(
        .malformed,
        "\(rule.theirs.quoted) and \(rule.ours.quoted) do not use the same numbers: there is no way back")
    }
  }

  /// Their cells as our four tensors; what does not have the shape of a cell stays as it is.
  func unpacked(_ archive: WeightArchive) throws -> WeightArchive {
    var biases: [String: String] = [:]
    for name in archive.names {
      guard let numbers = kernel.match(name), let other = bias.name(numbers),
        let (matrix, vector) = archive.spec(name).flatMap({ first in archive.spec(other).map { (first, $0) } }
        ),
        matrix.shape.count == 2, vector.shape == [matrix.shape[1]], vector.shape[0] > 0,
        vector.shape[0] % 4 == 0, matrix.shape[0] > vector.shape[0] / 4,
        matrix.dtype.isFloatingPoint, vector.dtype == matrix.dtype
      else { continue }
      biases[name] = other
    }
    if biases.isEmpty { return archive }
    let taken = Set(biases.values)
    var result = WeightArchive()
    for name in archive.names {
      if let other = biases[name] {
        try unpack(name, other, archive, into: &result)
      } else if !taken.contains(name) {
        try result.append(name, from: archive, name)
      }
    }
    return result.describing(as: archive)
  }

  private func unpack(
    _ kernel: String, _ bias: String, _ archive: WeightArchive, into result: inout WeightArchive
  ) throws {
    let (spec, biasSpec) = (archive.spec(kernel)!, archive.spec(bias)!)
    let names = ours.map { $0.name(self.kernel.match(kernel)!)! }
    let width = spec.shape[1] / 4
    let inputs = spec.shape[0] - width
    let forgetBias = forgetBias
    for (name, rows) in zip(names, [0..<inputs, inputs..<(inputs + width)]) {
      try result.append(name, TensorSpec([4 * width, rows.count], spec.dtype)) {
        let part = archive[kernel]!.cast(to: .float32).sliced(0, rows)
        return Self.exchanged(part.permuted([1, 0])).cast(to: spec.dtype)
      }
    }
    try result.append(names[2], biasSpec) {
      let bias = Self.exchanged(archive[bias]!.cast(to: .float32))
      return bias.adding(forgetBias, toGate: 1).cast(to: biasSpec.dtype)
    }
    try result.append(names[3], biasSpec) { Tensor.zeros(biasSpec.shape).cast(to: biasSpec.dtype) }
  }

  /// Undoes ``unpacked(_:)``; throws ``WeightsError`` for tensors that are no LSTM's.
  func packed(_ archive: WeightArchive) throws -> WeightArchive {
    var result = WeightArchive()
    for name in archive.names {
      if let numbers = ours[0].match(name) {
        try pack(ours.map { $0.name(numbers)! }, numbers, archive, into: &result)
      } else if !ours.contains(where: { $0.match(name) != nil }) {
        try result.append(name, from: archive, name)
      }
    }
    return result.describing(as: archive)
  }

  private func pack(
    _ names: [String], _ numbers: [String: Int], _ archive: WeightArchive, into result: inout WeightArchive
  ) throws {
    let specs = names.compactMap(archive.spec)
    guard specs.count == 4, specs[0].dtype.isFloatingPoint, let rows = specs[0].shape.first, rows % 4 == 0,
      specs[0].shape.count == 2, specs[1].shape == [rows, rows / 4],
      specs[2].shape == [rows], specs[3].shape == [rows], specs.allSatisfy({ $0.dtype == specs[0].dtype })
    else {
      throw WeightsError(.mismatched, "\(names[0].quoted) and what belongs to it are no layer of an LSTM")
    }
    let forgetBias = forgetBias
    let shape = [specs[0].shape[1] + rows / 4, rows]
    try result.append(kernel.name(numbers)!, TensorSpec(shape, specs[0].dtype)) {
      let parts = names[..<2].map { Self.exchanged(archive[$0]!.cast(to: .float32)).permuted([1, 0]) }
      return concatenate(parts, axis: 0).cast(to: specs[0].dtype)
    }
    try result.append(bias.name(numbers)!, specs[2]) {
      let sum = archive[names[2]]!.cast(to: .float32) + archive[names[3]]!.cast(to: .float32)
      return Self.exchanged(sum.adding(-forgetBias, toGate: 1)).cast(to: specs[2].dtype)
    }
  }

  /// Rows 4H… with the second and the third gate in each other's place.
  private static func exchanged(_ tensor: Tensor) -> Tensor {
    let parts = tensor.split(0, into: 4)
    return concatenate(gates.map { parts[$0] }, axis: 0)
  }
}

extension Tensor {
  /// A vector of four gates with a number added to one of them.
  fileprivate func adding(_ number: Float, toGate gate: Int) -> Tensor {
    var parts = split(0, into: 4)
    parts[gate] = parts[gate] + number
    return concatenate(parts, axis: 0)
  }
}
