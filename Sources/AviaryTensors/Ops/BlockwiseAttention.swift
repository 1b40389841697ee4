/// What ``attention(_:_:_:scale:bias:dropout:)`` returns, in memory that grows with T and not with T² (Rabe & Staats 2021, "Self-attention Does Not
/// Need O(n²) Memory"): blocks of queries look at one block of keys after another, with the largest score so far, the sum of the exponentials
/// and the sum of the values kept. The backward pass computes the scores again, block by block.
///
/// - Parameters:
///   - query, key, value, scale: as there.
///   - bias: as there, with an axis of queries or of keys that may be 1.
///   - isCausal: whether queries see no later keys, as ``causalBias(_:_:)`` has it; blocks that nobody sees are not computed.
///   - block: the queries, and the keys, that are compared at a time.
public func blockwiseAttention(
  _ query: Tensor, _ key: Tensor, _ value: Tensor, scale: Float? = nil, bias: Tensor? = nil,
  isCausal: Bool = false, block: Int = 256
) -> Tensor {
  let (queries, keys) = (query.shape[query.rank - 2], key.shape[key.rank - 2])
  require(block > 0 && queries > 0 && keys > 0, "blocks of \(block) of \(queries) queries and \(keys) keys")
  require(!isCausal || keys >= queries, "\(queries) queries at the end of \(keys) keys look at no later ones")
  let scale = scale ?? 1 / Float(query.shape[query.rank - 1]).squareRoot()
  let results = stride(from: 0, to: queries, by: block).map { start in
    let rows = start..<min(start + block, queries)
    let inputs = [query.sliced(-2, rows), key, value] + (bias.map { [$0.part(-2, rows)] } ?? [])
    return checkpoint(inputs) { inputs in
      BlockwiseRows(
        query: inputs[0].affine(scale: scale, shift: 0), bias: inputs.count > 3 ? inputs[3] : nil,
        firstPlace: isCausal ? rows.lowerBound + keys - queries : nil
      ).attention(inputs[1], inputs[2], block: block)
    }
  }
  return concatenate(results, axis: query.rank - 2)
}

/// Some rows of queries, which look at blocks of keys.
private struct BlockwiseRows {
  let query: Tensor
  let bias: Tensor?
  /// The place of the first query among the keys where it sees no later ones.
  let firstPlace: Int?

  func attention(_ key: Tensor, _ value: Tensor, block: Int) -> Tensor {
    let count = query.shape[query.rank - 2]
    let seen = firstPlace.map { $0 + count } ?? key.shape[key.rank - 2]
    var running: (maximum: Tensor, sum: Tensor, values: Tensor)?
    for start in stride(from: 0, to: seen, by: block) {
      let columns = start..<min(start + block, seen)
      let scores = scores(key.sliced(-2, columns), columns)
      let values = value.sliced(-2, columns)
      // What is subtracted before the exponential is divided out again in the end: no gradient flows through it.
      let largest = scores.detached.amax([-1], keepsAxes: true)
      let maximum = running.map { AviaryTensors.maximum($0.maximum, largest) } ?? largest
      let weights = (scores - maximum).exp()
      let (sum, product) = (weights.sum([-1], keepsAxes: true), weights.matmul(values))
      if let earlier = running {
        let factor = (earlier.maximum - maximum).exp()
        running = (maximum, earlier.sum * factor + sum, earlier.values * factor + product)
      } else {
        running = (maximum, sum, product)
      }
    }
    guard let running else { requirementFailure("queries that look at no key") }
    return running.values / running.sum
  }

  private func scores(_ keys: Tensor, _ columns: Range<Int>) -> Tensor {
    var scores = query.matmul(keys.transposed())
    if let bias { scores = scores + bias.part(-1, columns) }
    if let firstPlace, columns.upperBound > firstPlace + 1 {
      let places = (firstPlace..<firstPlace + query.shape[query.rank - 2])
      let hidden = places.flatMap { place in columns.map { $0 > place ? hiddenScore : 0 } }
      scores = scores + Tensor(hidden, shape: [places.count, columns.count])
    }
    return scores
  }
}

extension Tensor {
  /// A stretch of an axis, all of it where it has one element that stands for all.
  fileprivate func part(_ axis: Int, _ range: Range<Int>) -> Tensor {
    let axis = axis + rank
    return axis < 0 || shape[axis] == 1 ? self : sliced(axis, range)
  }
}
