import Foundation

/// The Einstein summation of tensors: `einsum("nqhd,nkhd->nhqk", q, k)`.
///
/// Every letter names an axis; letters missing from the result are summed over. A letter may stand once in an operand.
/// Composed of permutations, one batched matrix product per pair of operands, and sums.
public func einsum(_ equation: String, _ operands: Tensor...) -> Tensor {
  let sides = equation.filter { $0 != " " }.components(separatedBy: "->")
  let terms = sides[0].split(separator: ",", omittingEmptySubsequences: false).map(Array.init)
  require(
    sides.count == 2 && terms.count == operands.count, "einsum: \(equation) for \(operands.count) operands")
  let target = Array(sides[1])
  var (value, letters) = (operands[0], terms[0])
  require(
    letters.count == value.rank, "einsum: \(equation) for an operand of shape \(value.shape.shapeText)")
  for index in 1..<max(operands.count, 1) where operands.count > 1 {
    let later = Set(terms[(index + 1)...].joined()).union(target)
    (value, letters) = contract((value, letters), (operands[index], terms[index]), keeping: later)
  }
  let summed = letters.indices.filter { !target.contains(letters[$0]) }
  if !summed.isEmpty { value = value.sum(summed) }
  let rest = letters.filter { target.contains($0) }
  return value.permuted(
    target.map { letter in
      guard let axis = rest.firstIndex(of: letter) else {
        requirementFailure("einsum: \(letter) of the result of \(equation) is in no operand")
      }
      return axis
    })
}

private typealias Labelled = (tensor: Tensor, letters: [Character])

/// One matrix product: letters of both operands are batch axes when they are still needed, else summed over.
private func contract(_ a: Labelled, _ b: Labelled, keeping needed: Set<Character>) -> Labelled {
  require(
    b.letters.count == b.tensor.rank,
    "einsum: \(String(b.letters)) for an operand of shape \(b.tensor.shape.shapeText)")
  let shared = a.letters.filter(b.letters.contains)
  let batch = shared.filter(needed.contains)
  let inner = shared.filter { !needed.contains($0) }
  let left = a.letters.filter { !shared.contains($0) }
  let right = b.letters.filter { !shared.contains($0) }
  func extents(_ letters: [Character], _ operand: Labelled) -> Shape {
    letters.map { operand.tensor.shape[operand.letters.firstIndex(of: $0)!] }
  }
  func arranged(_ operand: Labelled, _ order: [Character], _ shape: Shape) -> Tensor {
    operand.tensor.permuted(order.map { operand.letters.firstIndex(of: $0)! }).reshaped(shape)
  }
  let (rows, columns) = (extents(left, a), extents(right, b))
  let (batches, depth) = (extents(batch, a), extents(inner, a).elementCount)
  let x = arranged(a, batch + left + inner, [batches.elementCount, rows.elementCount, depth])
  let y = arranged(b, batch + inner + right, [batches.elementCount, depth, columns.elementCount])
  return (x.matmul(y).reshaped(batches + rows + columns), batch + left + right)
}
