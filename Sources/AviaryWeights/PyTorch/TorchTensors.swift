import AviaryTensors

/// Finds out which values of a checkpoint are tensors, and what they are made of.
///
/// A tensor is pickled as a call of one of the functions `torch._utils._rebuild_…`. None is called; their arguments are read.
struct TorchTensors {
  let graph: PickleGraph
  let storages: TorchStorages

  /// A tensor's storage, and which of its bytes are the elements.
  struct View {
    let storage: TorchStorage
    let elements: StridedView

    /// Adds the tensor to `archive`: mapped where its bytes can stay as they are, else made when it is asked for.
    func append(to archive: inout WeightArchive, _ name: String) throws {
      if storage.isStored { return try elements.append(to: &archive, name, in: storage.window()) }
      try archive.append(
        name,
        rereading: { [storage, elements] in
          var single = WeightArchive()
          try elements.append(to: &single, name, in: storage.window())
          return single[name]!
        })
    }
  }

  /// The tensor that `reference` describes, or nil when it is something else.
  ///
  /// Throws ``WeightsError`` for tensors of kinds that are not read (quantised, sparse, …) and for those that do not fit their storage.
  func view(_ reference: PickleReference) throws -> View? {
    var reference = reference
    // A parameter holds a tensor; a file can pretend that it holds itself.
    for _ in 0..<8 {
      guard case .record(let record) = graph[reference], let callee = graph.globalName(record.callee),
        let arguments = graph.tuple(record.arguments)
      else { return nil }
      switch callee {
      case "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state",
        "torch.nn.parameter.Parameter", "torch.autograd.variable.Variable":
        guard let tensor = arguments.first else { return nil }
        reference = tensor
      case "torch._tensor._rebuild_from_type_v2":
        // A subclass: the function for the plain tensor, the class, the function's arguments.
        guard arguments.count > 2, let function = graph.globalName(arguments[0]),
          let inner = graph.tuple(arguments[2])
        else { throw Self.malformed(callee) }
        return try rebuilt(by: function, inner)
      default: return try rebuilt(by: callee, arguments)
      }
    }
    throw WeightsError(.malformed, "a parameter holds a parameter again and again")
  }

  private static func malformed(_ function: String) -> WeightsError {
    WeightsError(.malformed, "a call of \(function.quoted) has unknown arguments")
  }

  private func rebuilt(by function: String, _ arguments: [PickleReference]) throws -> View? {
    switch function {
    case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3":
      guard arguments.count >= 4, case .persistent(let identity) = graph[arguments[0]],
        let offset = graph.int(arguments[1]), let shape = extents(arguments[2]),
        let strides = extents(arguments[3])
      else { throw Self.malformed(function) }
      let storage = try TorchStorageReference(identity, in: graph)
      let (bytes, place) = try storages.place(of: storage)
      let elements = try StridedView(
        function.hasSuffix("_v3") ? dtype(arguments) : storage.format, bigEndian: storages.bigEndian,
        base: place.lowerBound, byteCount: place.count, offset: offset, shape: shape, strides: strides)
      return View(storage: bytes, elements: elements)
    case let name where name.hasPrefix("torch._utils._rebuild_"):
      throw WeightsError(
        .unsupported, "tensors made by \(name) are not supported: only dense, unquantised ones are")
    default: return nil
    }
  }

  /// The seventh argument, for types that have no class of storage.
  private func dtype(_ arguments: [PickleReference]) throws -> ElementFormat {
    guard arguments.count > 6, case .global("torch", let name) = graph[arguments[6]] else {
      throw Self.malformed("torch._utils._rebuild_tensor_v3")
    }
    guard let format = ElementFormat(rawValue: name) else {
      throw WeightsError(.unsupported, "the element type \(name.quoted) is not supported")
    }
    return format
  }

  /// A tuple of integers, or a `torch.Size` of one.
  private func extents(_ reference: PickleReference) -> [Int]? {
    var reference = reference
    if case .record(let size) = graph[reference], graph.globalName(size.callee) == "torch.Size",
      let first = graph.tuple(size.arguments)?.first
    {
      reference = first
    }
    guard let elements = graph.elements(reference) else { return nil }
    let extents = elements.compactMap(graph.int)
    return extents.count == elements.count ? extents : nil
  }
}
