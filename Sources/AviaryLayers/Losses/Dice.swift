import AviaryTensors

/// What scores of classes are, and so what makes probabilities of them.
public enum ClassScores: String, Sendable, Hashable, Codable {
  /// Probabilities already.
  case probabilities
  /// Logits of classes that exclude each other: softmax along axis 1.
  case softmaxLogits
  /// Logits of independent classes: σ of each.
  case sigmoidLogits
}

/// The soft Dice loss (Milletari et al. 2016; with plain sums below the line, Sudre et al. 2017): for each class
/// 1 − (2·Σ p·t + s) / (Σ p + Σ t + s), by default averaged over examples and classes.
///
/// - Parameters:
///   - predictions: N×C×spatial.
///   - targets: of the same shape, from 0 to 1.
///   - scores: what the predictions are.
///   - smoothing: s, which keeps a class that is nowhere from dividing 0 by 0, and gives it a loss of 0 when it is not predicted either.
///   - poolsBatch: whether the sums run over the whole batch, not over each example: steadier where a class is rare.
///   - reduction: with ``Reduction/none`` the result is N×C, or C where the batch is pooled.
public func diceLoss(
  _ predictions: Tensor, targets: Tensor, scores: ClassScores = .probabilities, smoothing: Float = 1,
  poolsBatch: Bool = false, reduction: Reduction = .mean
) -> Tensor {
  require(predictions.rank >= 2, "the Dice loss of \(predictions.shape.shapeText)")
  requireEqualShapes("the Dice loss", predictions, targets)
  let probabilities =
    switch scores {
    case .probabilities: predictions
    case .softmaxLogits: predictions.softmax(1)
    case .sigmoidLogits: predictions.sigmoid()
    }
  let axes = (poolsBatch ? [0] : []) + Array(2..<predictions.rank)
  let both = (probabilities * targets).sum(axes)
  let either = probabilities.sum(axes) + targets.sum(axes)
  return reduction(1 - (both * 2 + smoothing) / (either + smoothing))
}

/// The soft Dice loss of N×C×spatial with int64 `labels` N×spatial, see ``diceLoss(_:targets:scores:smoothing:poolsBatch:reduction:)``.
public func diceLoss(
  _ predictions: Tensor, labels: Tensor, scores: ClassScores = .softmaxLogits, smoothing: Float = 1,
  poolsBatch: Bool = false, reduction: Reduction = .mean
) -> Tensor {
  require(
    predictions.rank >= 2 && labels.shape == [predictions.shape[0]] + predictions.shape[2...],
    "the Dice loss of \(predictions.shape.shapeText) with labels \(labels.shape.shapeText)")
  let positions = labels.cast(to: .int64).expandedAxis(at: 1)
  return diceLoss(
    predictions, targets: .zeros(predictions.shape).scatterAdded(1, positions, .ones(positions.shape)),
    scores: scores, smoothing: smoothing, poolsBatch: poolsBatch, reduction: reduction)
}
