import Aviary

let x = Tensor.uniform([4, 3, 3, 3])
let s = Tensor.uniform([3])
let b = Tensor.uniform([3])
print(
  valueAndGradients(at: [x, s, b]) {
    batchNormalized($0[0], scale: $0[1], shift: $0[2], mean: s, variance: s, epsilon: 1e-3).sum()
  }.gradients[1].values())
print(
  valueAndGradients(at: [x, s, b]) {
    batchNormalized($0[0], scale: $0[1], shift: $0[2], epsilon: 1e-3).result.sum()
  }.gradients[1].values())
