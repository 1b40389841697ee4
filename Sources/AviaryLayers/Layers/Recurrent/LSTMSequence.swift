import AviaryTensors

/// All steps of an ``LSTMCell`` without a projection of h, as one operation: what the layer learns by.
///
/// Recorded step by step, every step would add a product to the gradient of W_hh and a tensor as large as the whole sequence to that of its
/// input. Here the gradient of W_hh is one product of all steps, after the walk back through time (Werbos 1990, "Backpropagation Through Time:
/// What It Does and How to Do It").
///
/// Inputs: the projection of the sequence N×T×4·H, W_hh 4·H×H, h and c N×H. Results: h of each step N×T×H, and h and c after the last.
struct LSTMSequence: Operation {
  /// Whether the last place is read first.
  let isBackward: Bool

  var onnxName: String { "LSTM" }
  var keeps: Kept { [] }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    let (projection, weights) = (inputs[0].shape, inputs[1].shape)
    require(
      projection.count == 3 && weights.count == 2 && projection[2] == weights[0]
        && weights[0] == 4 * weights[1],
      "an LSTM's projection \(projection.shapeText) with weights \(weights.shapeText)")
    let state = [projection[0], weights[1]]
    require(
      inputs[2].shape == state && inputs[3].shape == state,
      "an LSTM's state \(inputs[2].shape.shapeText), \(inputs[3].shape.shapeText), expected \(state.shapeText)"
    )
    return [TensorSpec([projection[0], projection[1], weights[1]]), TensorSpec(state), TensorSpec(state)]
  }

  func multiplyAdds(for inputs: [TensorSpec]) -> Int {
    inputs[0].shape.elementCount * inputs[1].shape[1]
  }

  /// The places of a sequence in the order in which they are read.
  private func places(_ steps: Int) -> [Int] {
    isBackward ? (0..<steps).reversed() : Array(0..<steps)
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    let parts = inputs.map { $0.cast(to: .float32) }
    let (projection, weights) = (parts[0], parts[1])
    let (steps, width) = (projection.shape[1], weights.shape[1])
    var (hidden, cell) = (parts[2], parts[3])
    var results = [Tensor](repeating: hidden, count: steps)
    for part in [weights, hidden, cell] { context.save(part) }
    for place in places(steps) {
      let sums = Self.sum(projection, at: place, linear(hidden, weights))
      let gates = Gates(sums.sigmoid(), candidate: sums.sliced(1, 2 * width..<3 * width).tanh())
      cell = gates.cell(after: cell)
      let squashed = cell.tanh()
      hidden = gates.hidden(squashed)
      results[place] = hidden
      for part in [gates.values, cell, squashed, hidden] { context.save(part) }
    }
    return [stack(results, axis: 1), hidden, cell]
  }

  /// N×T×G at a place, and N×G.
  private static func sum(_ sequence: Tensor, at place: Int, _ other: Tensor) -> Tensor {
    let (steps, width) = (sequence.shape[1], sequence.shape[2])
    return Tensor.filled(other.shape) { result in
      sequence.withUnsafeValues { sequence in
        other.withUnsafeValues { other in
          for row in 0..<other.count / width {
            let from = (row * steps + place) * width
            for index in 0..<width {
              result[row * width + index] = sequence[from + index] + other[row * width + index]
            }
          }
        }
      }
    }
  }

  func gradient(_ context: GradientContext) -> [Tensor?] {
    let saved = context.saved
    let (weights, steps) = (saved[0], (saved.count - 3) / 4)
    let state = context.inputSpecs[2].shape
    let upstream = context.outputGradients[0]
    var hidden = context.outputGradients[1] ?? .zeros(state)
    var cell = context.outputGradients[2] ?? .zeros(state)
    var sums = [Tensor](repeating: hidden, count: steps)
    var before = sums
    let backwards = weights.transposed()
    for (step, place) in places(steps).enumerated().reversed() {
      let first = 3 + 4 * step
      let known = Gates(values: saved[first])
      // The state before: of the step before, which keeps c and h, or that in the beginning.
      let (earlier, last) = step == 0 ? (saved[2], saved[1]) : (saved[first - 3], saved[first - 1])
      if let upstream { hidden = Self.sum(upstream, at: place, hidden) }
      (sums[place], cell) = known.gradients(hidden, cell, squashed: saved[first + 2], before: earlier)
      before[place] = last
      hidden = linear(sums[place], backwards)
    }
    let all = stack(sums, axis: 1)  // N×T×4·H
    let gradient =
      context.needs(1)
      ? all.flattenedRows.transposed().matmul(stack(before, axis: 1).flattenedRows) : nil
    return [all, gradient, hidden, cell]
  }
}

/// The gates of a step, N×4·H in the order i, f, g, o.
private struct Gates {
  let values: Tensor
  private var width: Int { values.shape[1] / 4 }

  init(values: Tensor) { self.values = values }

  /// From σ of all sums, and g.
  init(_ sigmoids: Tensor, candidate: Tensor) {
    var values = sigmoids
    let width = candidate.shape[1]
    values.withUnsafeMutableValues { values in
      candidate.withUnsafeValues { candidate in
        for row in 0..<candidate.count / width {
          for index in 0..<width { values[(4 * row + 2) * width + index] = candidate[row * width + index] }
        }
      }
    }
    self.values = values
  }

  /// c' = f c + i g.
  func cell(after cell: Tensor) -> Tensor {
    let width = width
    return Tensor.filled(cell.shape) { result in
      values.withUnsafeValues { gates in
        cell.withUnsafeValues { cell in
          for row in 0..<cell.count / width {
            let (i, f, g) = (4 * row * width, (4 * row + 1) * width, (4 * row + 2) * width)
            for index in 0..<width {
              result[row * width + index] =
                gates[f + index] * cell[row * width + index] + gates[i + index] * gates[g + index]
            }
          }
        }
      }
    }
  }

  /// h' = o tanh(c').
  func hidden(_ squashed: Tensor) -> Tensor {
    let width = width
    return Tensor.filled(squashed.shape) { result in
      values.withUnsafeValues { gates in
        squashed.withUnsafeValues { squashed in
          for row in 0..<squashed.count / width {
            let o = (4 * row + 3) * width
            for index in 0..<width {
              result[row * width + index] = gates[o + index] * squashed[row * width + index]
            }
          }
        }
      }
    }
  }

  /// From the gradients of h' and c' to those of the sums N×4·H and of c.
  func gradients(
    _ hidden: Tensor, _ cell: Tensor, squashed: Tensor, before: Tensor
  ) -> (sums: Tensor, cell: Tensor) {
    let width = width
    var carried = cell
    let sums = Tensor.filled(values.shape) { result in
      carried.withUnsafeMutableValues { carried in
        values.withUnsafeValues { gates in
          hidden.withUnsafeValues { hidden in
            squashed.withUnsafeValues { squashed in
              before.withUnsafeValues { before in
                for row in 0..<carried.count / width {
                  let base = 4 * row * width
                  for index in 0..<width {
                    let (own, i) = (row * width + index, base + index)
                    let (f, g, o) = (i + width, i + 2 * width, i + 3 * width)
                    let dc = carried[own] + hidden[own] * gates[o] * (1 - squashed[own] * squashed[own])
                    result[i] = dc * gates[g] * gates[i] * (1 - gates[i])
                    result[f] = dc * before[own] * gates[f] * (1 - gates[f])
                    result[g] = dc * gates[i] * (1 - gates[g] * gates[g])
                    result[o] = hidden[own] * squashed[own] * gates[o] * (1 - gates[o])
                    carried[own] = dc * gates[f]
                  }
                }
              }
            }
          }
        }
      }
    }
    return (sums, carried)
  }
}

extension Tensor {
  fileprivate static func filled(
    _ shape: Shape, by body: (UnsafeMutableBufferPointer<Float>) -> Void
  ) -> Tensor {
    var result = Tensor.zeros(shape)
    result.withUnsafeMutableValues(body)
    return result
  }

  /// All axes but the last merged into one.
  fileprivate var flattenedRows: Tensor { reshaped([-1, shape[rank - 1]]) }
}
