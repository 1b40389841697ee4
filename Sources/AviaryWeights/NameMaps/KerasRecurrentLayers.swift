import AviaryTensors

/// Keras' recurrent layers, which keep a kernel (I×G·H), a recurrent kernel (H×G·H) and mostly one bias, and are PyTorch's four tensors here:
/// G·H×I, G·H×H, and a bias for each of the two products.
///
/// Letters: I features of the input, H units, G gates. The gates stand side by side there and below each other here. Kernels go there and back
/// bit for bit. So do biases where Keras has two rows of them; where it has one, ours for the state's product is zero, and on the way back our
/// two are added up. The rest of a name map knows the four tensors under our names only.
struct KerasRecurrentLayers: Sendable {
  /// The layers whose numbers are laid out alike.
  enum Kind: String, Codable, Sendable {
    /// Gates i, f, c, o, as ours.
    case lstm
    /// `GRU` with `reset_after`: gates z, r, h, ours being r, z, n, and a bias of two rows.
    case gru
    /// `GRU` without `reset_after`: the same gates, and one bias.
    case gruResetBefore
    /// `SimpleRNN`: one gate.
    case simpleRNN

    /// Our place of each of their gates, and their place of each of ours.
    var gates: [Int] {
      switch self {
      case .lstm: [0, 1, 2, 3]
      case .gru, .gruResetBefore: [1, 0, 2]
      case .simpleRNN: [0]
      }
    }

    /// The shape of their bias for as many columns as the kernels have.
    func bias(_ columns: Int) -> Shape { self == .gru ? [2, columns] : [columns] }
  }

  private let kind: Kind
  private let theirs: [NamePattern]
  /// Our names, with what tells the four tensors apart in the place of `*`.
  let ours: [NamePattern]

  /// Throws ``WeightsError`` when our name has not one `*`, or the two do not use the same numbers.
  init(_ rule: NameMapDocument.Rule, _ kind: Kind) throws {
    let pieces = rule.ours.split(separator: "*", omittingEmptySubsequences: false)
    guard pieces.count == 2 else {
      throw WeightsError(.malformed, "the rule \(rule.ours.quoted) for recurrent layers needs one *")
    }
    self.kind = kind
    theirs = try ["kernel", "recurrent_kernel", "bias"].map { try NamePattern("\(rule.theirs)/\($0)") }
    ours = try ["weight_ih", "weight_hh", "bias_ih", "bias_hh"].map {
      try NamePattern(pieces.joined(separator: $0))
    }
    guard theirs[0].captureNames == ours[0].captureNames else {
      throw WeightsError(
        .malformed,
        "\(rule.theirs.quoted) and \(rule.ours.quoted) do not use the same numbers: there is no way back")
    }
  }

  /// Their layers as our four tensors; what does not have the shapes of such a layer stays as it is.
  func unpacked(_ archive: WeightArchive) throws -> WeightArchive {
    var layers: [String: [String]] = [:]
    for name in archive.names {
      guard let numbers = theirs[0].match(name) else { continue }
      let names = theirs.compactMap { $0.name(numbers) }
      let specs = names.compactMap(archive.spec)
      guard specs.count == 3, specs[0].shape.count == 2, let columns = specs[0].shape.last, columns > 0,
        columns % kind.gates.count == 0, specs[1].shape == [columns / kind.gates.count, columns],
        specs[2].shape == kind.bias(columns), specs[0].dtype.isFloatingPoint,
        specs.allSatisfy({ $0.dtype == specs[0].dtype })
      else { continue }
      layers[name] = names
    }
    if layers.isEmpty { return archive }
    let taken = Set(layers.values.flatMap(\.self))
    var result = WeightArchive()
    for name in archive.names {
      if let names = layers[name] {
        try unpack(names, ours.map { $0.name(theirs[0].match(name)!)! }, archive, into: &result)
      } else if !taken.contains(name) {
        try result.append(name, from: archive, name)
      }
    }
    return result.describing(as: archive)
  }

  private func unpack(
    _ theirs: [String], _ ours: [String], _ archive: WeightArchive, into result: inout WeightArchive
  ) throws {
    let kind = kind
    for (name, their) in zip(ours, theirs[..<2]) {
      let spec = archive.spec(their)!
      try result.append(name, TensorSpec(spec.shape.reversed(), spec.dtype)) {
        archive[their]!.cast(to: .float32).permuted([1, 0]).gates(kind.gates).cast(to: spec.dtype)
      }
    }
    let columns = archive.spec(theirs[0])!.shape[1]
    let bias = TensorSpec([columns], archive.spec(theirs[2])!.dtype)
    for (row, name) in ours[2...].enumerated() {
      try result.append(name, bias) {
        guard kind == .gru || row == 0 else { return Tensor.zeros(bias.shape).cast(to: bias.dtype) }
        let rows = archive[theirs[2]]!.cast(to: .float32).reshaped([-1, columns])
        return rows.selected(0, row).gates(kind.gates).cast(to: bias.dtype)
      }
    }
  }

  /// Undoes ``unpacked(_:)``; throws ``WeightsError`` for tensors that are no such layer's.
  func packed(_ archive: WeightArchive) throws -> WeightArchive {
    var result = WeightArchive()
    for name in archive.names {
      if let numbers = ours[0].match(name) {
        try pack(
          ours.map { $0.name(numbers)! }, theirs.map { $0.name(numbers)! }, archive, into: &result)
      } else if !ours.contains(where: { $0.match(name) != nil }) {
        try result.append(name, from: archive, name)
      }
    }
    return result.describing(as: archive)
  }

  private func pack(
    _ ours: [String], _ theirs: [String], _ archive: WeightArchive, into result: inout WeightArchive
  ) throws {
    let kind = kind
    let specs = ours.compactMap(archive.spec)
    guard specs.count == 4, specs[0].dtype.isFloatingPoint, specs[0].shape.count == 2,
      let rows = specs[0].shape.first, rows % kind.gates.count == 0,
      specs[1].shape == [rows, rows / kind.gates.count], specs[2].shape == [rows], specs[3].shape == [rows],
      specs.allSatisfy({ $0.dtype == specs[0].dtype })
    else {
      throw WeightsError(
        .mismatched, "\(ours[0].quoted) and what belongs to it are no recurrent layer of Keras")
    }
    for (name, our) in zip(theirs[..<2], ours) {
      let spec = archive.spec(our)!
      try result.append(name, TensorSpec(spec.shape.reversed(), spec.dtype)) {
        archive[our]!.cast(to: .float32).gates(kind.gates).permuted([1, 0]).cast(to: spec.dtype)
      }
    }
    let type = specs[0].dtype
    try result.append(theirs[2], TensorSpec(kind.bias(rows), type)) {
      let biases = ours[2...].map { archive[$0]!.cast(to: .float32).gates(kind.gates) }
      return (kind == .gru ? stack(biases) : biases[0] + biases[1]).cast(to: type)
    }
  }
}

extension Tensor {
  /// The gates that lie below each other, each from the place that the list has for it.
  fileprivate func gates(_ places: [Int]) -> Tensor {
    if places == Array(places.indices) { return self }
    let parts = split(0, into: places.count)
    return concatenate(places.map { parts[$0] }, axis: 0)
  }
}
