import AviaryTensors

extension Network {
  /// Runs the network operation by operation and calls `visit` with what each stretch of it returns, and last with each output.
  ///
  /// A stretch is what runs on the weights of one part of the network, up to the first operation on another part's. Parts are called by
  /// the first two steps of their weights' names, `down_blocks.0`; one that runs again later has its turn in its name, `norm#2`.
  /// - Parameter inputs: all that the signature asks for; optional ones may be left out. The network is put into evaluation mode.
  public func visitStretches(_ inputs: NamedTensors, _ visit: (_ name: String, _ result: Tensor) -> Void) {
    evaluate()
    let (inputNames, outputNames) = (signature.inputs.map(\.name), signature.outputs.map(\.name))
    let given = completed(inputs)
    let tensors = inputNames.map { given[$0] }
    let (parts, values) = tracedParts()
    let value = { (tensor: Tensor) in values[tensor.identity]?() }
    let replay = Replay(tensors.map(\.spec), weights: value) { tensors in
      let results = self(NamedTensors(Array(zip(inputNames, tensors))))
      return outputNames.map { results[$0] }
    }
    let ends = stretches(replay.steps.map { step in step.inputs.compactMap { parts[$0.identity] }.first })
    let results = replay(tensors) { place, results in
      if let name = ends[place] { visit(name, results[0]) }
    }
    for (name, result) in zip(outputNames, results) { visit(name, result) }
  }

  /// The part that each weight belongs to, and its value, by what stands for it in a trace.
  private func tracedParts() -> (parts: [ObjectIdentifier: String], values: [ObjectIdentifier: () -> Tensor])
  {
    var parts: [ObjectIdentifier: String] = [:]
    var values: [ObjectIdentifier: () -> Tensor] = [:]
    func note(_ name: String, _ identity: ObjectIdentifier, _ value: @escaping () -> Tensor) {
      parts[identity] = name.split(separator: ".").dropLast().prefix(2).joined(separator: ".")
      values[identity] = value
    }
    for (name, parameter) in namedParameters {
      note(name, parameter.tracedIdentity) { parameter.value.detached }
    }
    for (name, buffer) in namedBuffers { note(name, buffer.tracedIdentity) { buffer.value } }
    return (parts, values)
  }

  /// The names of the stretches by the places of their last steps, of which the parts are given where they read weights.
  private func stretches(_ parts: [String?]) -> [Int: String] {
    var ends: [Int: String] = [:]
    var turns: [String: Int] = [:]
    var current: String?
    for (place, part) in parts.enumerated() {
      if let part, part != current {
        if let current { ends[place - 1] = name(current) }
        current = part
      }
    }
    if let current { ends[parts.count - 1] = name(current) }
    return ends

    func name(_ part: String) -> String {
      turns[part, default: 0] += 1
      return turns[part] == 1 ? part : "\(part)#\(turns[part]!)"
    }
  }
}
