import AviaryTensors

/// Cross-entropy of `logits` (N×C) with int64 `labels` (N): −log softmax(logits)[label], averaged over the batch.
///
/// Label smoothing (Szegedy et al. 2016) mixes the one-hot target with the uniform distribution.
public func softmaxCrossEntropy(_ logits: Tensor, labels: Tensor, smoothing: Float = 0) -> Tensor {
  require(
    logits.rank == 2 && labels.shape == [logits.shape[0]],
    "cross-entropy of logits \(logits.shape.shapeText) with labels \(labels.shape.shapeText)")
  let logProbabilities = logits.logSoftmax()
  let picked = logProbabilities.gathered(1, labels.cast(to: .int64).expandedAxis(at: 1))
  let loss = -picked.mean()
  return smoothing == 0 ? loss : loss * (1 - smoothing) - logProbabilities.mean() * smoothing
}

/// Cross-entropy of `logits` (N×C) with a distribution per row.
public func softmaxCrossEntropy(_ logits: Tensor, probabilities: Tensor) -> Tensor {
  -(probabilities * logits.logSoftmax()).sum([-1]).mean()
}

/// Cross-entropy of independent yes/no decisions, max(x, 0) − x·t + log(1 + e^−|x|), averaged over everything.
public func sigmoidCrossEntropy(_ logits: Tensor, targets: Tensor) -> Tensor {
  (Activation.softplus(logits) - logits * targets).mean()
}

/// Mean squared error.
public func meanSquaredError(_ predictions: Tensor, _ targets: Tensor) -> Tensor {
  (predictions - targets).square().mean()
}

/// Mean absolute error.
public func meanAbsoluteError(_ predictions: Tensor, _ targets: Tensor) -> Tensor {
  (predictions - targets).abs().mean()
}

/// Quadratic within ±`beta`, linear beyond (Girshick 2015), averaged over everything.
public func smoothL1(_ predictions: Tensor, _ targets: Tensor, beta: Float = 1) -> Tensor {
  let distance = (predictions - targets).abs()
  let quadratic = distance.square() * (0.5 / beta)
  return select(distance .< Tensor(beta), quadratic, distance - 0.5 * beta).mean()
}

/// The multi-class hinge loss Σ_{j≠y} max(0, s_j − s_y + Δ) (Weston & Watkins 1999), averaged over the batch.
public func hingeLoss(_ scores: Tensor, labels: Tensor, margin: Float = 1) -> Tensor {
  let correct = scores.gathered(1, labels.cast(to: .int64).expandedAxis(at: 1))
  // The right class itself contributes Δ to the sum.
  return ((scores - correct + margin).relu().sum([1]) - margin).mean()
}

/// D_KL(p‖q) = Σ p (log p − log q) along the last axis, averaged over the batch; 0·log 0 counts as 0.
public func klDivergence(_ p: Tensor, _ q: Tensor) -> Tensor {
  let safe = maximum(p, Tensor(Float.leastNormalMagnitude))
  return (p * (safe.log() - q.log())).sum([-1]).mean()
}

/// D_KL of the normal distribution N(μ, σ²) from N(0, 1): −½ Σ(1 + log σ² − μ² − σ²) along the last axis, averaged over the batch
/// (Kingma & Welling 2014, appendix B).
public func normalKLDivergence(mean: Tensor, logVariance: Tensor) -> Tensor {
  ((logVariance + 1 - mean.square() - logVariance.exp()) * -0.5).sum([-1]).mean()
}
