import AviaryTensors

/// D_KL(p‖q) = p·(log p − log q), element by element, from the logarithms of the predicted distribution q, as PyTorch's `kl_div` has it;
/// 0·log 0 counts as 0.
///
/// - Parameters:
///   - logProbabilities: log q, such as a log-softmax; N×C or any shape.
///   - targets: p, of the same shape, or log p.
///   - areTargetsLogarithmic: whether `targets` is log p.
///   - reduction: by default the sum over all elements divided by the batch N, which is the divergence of the mathematics.
public func klDivergence(
  logProbabilities: Tensor, targets: Tensor, areTargetsLogarithmic: Bool = false,
  reduction: Reduction = .batchMean
) -> Tensor {
  requireEqualShapes("the KL divergence", logProbabilities, targets)
  if areTargetsLogarithmic { return reduction(targets.exp() * (targets - logProbabilities)) }
  let entropy = targets * maximum(targets, Tensor(Float.leastNormalMagnitude)).log()
  return reduction(entropy - targets * logProbabilities)
}

/// D_KL of the normal distribution N(μ, σ²) from N(0, 1): −½ Σ(1 + log σ² − μ² − σ²) along the last axis, averaged over the batch
/// (Kingma & Welling 2014, appendix B).
public func normalKLDivergence(mean: Tensor, logVariance: Tensor) -> Tensor {
  ((logVariance + 1 - mean.square() - logVariance.exp()) * -0.5).sum([-1]).mean()
}
