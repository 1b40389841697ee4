/// Rows of a table (V×D) by integer tokens of any shape.
struct EmbeddingLookup: Operation {
  var onnxName: String { "Gather" }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    require(
      inputs[0].shape.count == 2 && (inputs[1].dtype == .int32 || inputs[1].dtype == .int64),
      "embedding: a table of \(inputs[0].shape.shapeText) and tokens of type \(inputs[1].dtype)")
    return [TensorSpec(inputs[1].shape + [inputs[0].shape[1]])]
  }

  private func tokens(_ tensor: Tensor, vocabulary: Int) -> [Int] {
    let tokens = tensor.cast(to: .int64).values(of: Int64.self).map(Int.init)
    for token in tokens {
      require(token >= 0 && token < vocabulary, "token \(token) of a vocabulary of \(vocabulary)")
    }
    return tokens
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    let table = inputs[0].cast(to: .float32)
    let width = table.shape[1]
    let tokens = tokens(inputs[1], vocabulary: table.shape[0])
    let result = table.withUnsafeValues { rows in
      Tensor(inputs[1].shape + [width]) { result in
        for (place, token) in tokens.enumerated() {
          for k in 0..<width { result[place * width + k] = rows[token * width + k] }
        }
      }
    }
    return [result]
  }

  func gradient(_ context: GradientContext) -> [Tensor?] {
    let shape = context.inputSpecs[0].shape
    let tokens = tokens(context.input(1), vocabulary: shape[0])
    let result = context.upstream.withUnsafeValues { upstream in
      Tensor(shape) { result in
        result.update(repeating: 0)
        for (place, token) in tokens.enumerated() {
          for k in 0..<shape[1] { result[token * shape[1] + k] += upstream[place * shape[1] + k] }
        }
      }
    }
    return [result, nil]
  }
}

/// Rows of `table` (V×D) by integer `tokens`; the result has one axis more than the tokens.
public func embedding(_ table: Tensor, tokens: Tensor) -> Tensor { EmbeddingLookup()(table, tokens) }
