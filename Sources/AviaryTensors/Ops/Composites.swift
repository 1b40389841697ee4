extension Tensor {
  /// Dropout with inverted scaling (Srivastava et al. 2014): each value is 0 with the given probability, the others are divided by 1 − p.
  public func dropout(probability: Float, using generator: RandomGenerator = .current) -> Tensor {
    if probability <= 0 || isAbstract { return self }
    if probability >= 1 { return self * 0 }
    return self
      * (Tensor.bernoulli(shape, probability: 1 - probability, using: generator) * (1 / (1 - probability)))
  }

  /// Stochastic depth (Huang et al. 2016): whole samples (rows of axis 0) are dropped.
  public func droppedPath(probability: Float, using generator: RandomGenerator = .current) -> Tensor {
    if probability <= 0 || isAbstract { return self }
    let rows = [shape[0]] + Shape(repeating: 1, count: rank - 1)
    return self
      * (Tensor.bernoulli(rows, probability: 1 - probability, using: generator) * (1 / (1 - probability)))
  }

  /// Maxout (Goodfellow et al. 2013): the largest of `pieces` neighbouring channels of axis `axis`.
  public func maxout(pieces: Int, axis: Int = 1) -> Tensor {
    let axis = resolved(axis: axis, rank: rank)
    require(shape[axis] % pieces == 0, "maxout: \(shape[axis]) channels in pieces of \(pieces)")
    var split = shape
    split[axis] /= pieces
    split.insert(pieces, at: axis + 1)
    return reshaped(split).amax([axis + 1])
  }

  /// SwiGLU (Shazeer 2020) of a last axis that holds gate and value: silu(gate) · value.
  public func swiGLU() -> Tensor {
    let halves = split(-1, into: 2)
    return Activation.silu(halves[0]) * halves[1]
  }
}

/// PReLU (He et al. 2015): x for positive x, else slope·x, with one slope or one per channel of N×C×spatial.
public func prelu(_ x: Tensor, slope: Tensor) -> Tensor {
  let slope =
    slope.count == 1
    ? slope.reshaped([1]) : slope.reshaped([slope.count] + .init(repeating: 1, count: x.rank - 2))
  return x.relu() - slope * (-x).relu()
}
