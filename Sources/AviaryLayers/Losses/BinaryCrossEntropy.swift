import AviaryTensors

/// Cross-entropy of independent yes/no decisions from their logits, as PyTorch's `binary_cross_entropy_with_logits` has it:
/// (1 − t)·x + (1 + (p − 1)·t)·log(1 + e⁻ˣ).
///
/// - Parameters:
///   - targets: of the logits' shape, from 0 to 1.
///   - positiveWeight: p, what the positive targets count beside the negative ones; of a shape that broadcasts to the logits' (C for N×C).
///   - weights: what the loss of each element is multiplied by; broadcast to the logits' shape. The mean is over the number of elements all
///     the same.
public func sigmoidCrossEntropy(
  _ logits: Tensor, targets: Tensor, positiveWeight: Tensor? = nil, weights: Tensor? = nil,
  reduction: Reduction = .mean
) -> Tensor {
  let losses = sigmoidCrossEntropies(logits, targets, positiveWeight: positiveWeight)
  return reduction(weights.map { losses * $0 } ?? losses)
}

/// The focal loss of Lin et al. 2017 in its sigmoid form, α_t·(1 − p_t)^γ·(−log p_t), where p_t is the probability of what is right.
///
/// Numbers as torchvision's `sigmoid_focal_loss`, which sums and divides by the number of foreground anchors: take ``Reduction/sum``
/// for that.
/// - Parameters:
///   - targets: of the logits' shape, 0 or 1.
///   - alpha: what positives count, negatives 1 − α; nil for both to count 1.
///   - gamma: how far easy elements are played down; 0 for not at all.
public func sigmoidFocalLoss(
  _ logits: Tensor, targets: Tensor, alpha: Float? = 0.25, gamma: Float = 2, reduction: Reduction = .mean
) -> Tensor {
  var losses = sigmoidCrossEntropies(logits, targets)
  if gamma != 0 {
    let probabilities = logits.sigmoid()
    // 1 − p_t = p + t − 2·p·t
    let wrong = probabilities + targets - probabilities * targets * 2
    losses = losses * (gamma == 2 ? wrong.square() : wrong.power(gamma))
  }
  if let alpha { losses = losses * targets.affine(scale: 2 * alpha - 1, shift: 1 - alpha) }
  return reduction(losses)
}

/// One loss for each element. With log(1 + e⁻ˣ) in it and not log(1 + eˣ) − x, a large logit that is right costs no digits.
private func sigmoidCrossEntropies(
  _ logits: Tensor, _ targets: Tensor, positiveWeight: Tensor? = nil
) -> Tensor {
  requireEqualShapes("binary cross-entropy", logits, targets)
  let negativeLogSigmoid = Activation.softplus(-logits)
  let weighted = positiveWeight.map { negativeLogSigmoid * ((($0 - 1) * targets) + 1) } ?? negativeLogSigmoid
  return (1 - targets) * logits + weighted
}
