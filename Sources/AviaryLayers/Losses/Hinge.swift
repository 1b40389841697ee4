import AviaryTensors

/// The multi-class hinge loss Σ_{j≠y} max(0, s_j − s_y + Δ) (Weston & Watkins 1999) of `scores` N×C with int64 `labels` N, or the sum of its
/// squares; by default averaged over the batch.
///
/// PyTorch's `multi_margin_loss` is this divided by C; a NaN among the wrong classes, which it drops, makes the loss NaN here.
public func hingeLoss(
  _ scores: Tensor, labels: Tensor, margin: Float = 1, isSquared: Bool = false, reduction: Reduction = .mean
) -> Tensor {
  require(
    scores.rank == 2 && labels.shape == [scores.shape[0]],
    "the hinge loss of scores \(scores.shape.shapeText) with labels \(labels.shape.shapeText)")
  let correct = scores.gathered(1, labels.cast(to: .int64).expandedAxis(at: 1))
  let excess = (scores - correct + margin).relu()
  // The right class itself contributes Δ to the sum.
  return reduction(
    isSquared ? excess.square().sum([1]) - margin * margin : excess.sum([1]) - margin)
}

/// The hinge loss of yes/no decisions max(0, Δ − t·s) (Cortes & Vapnik 1995), or its square (that of the L2-SVM), element by element.
///
/// - Parameter targets: t, −1 or 1, of the scores' shape.
public func binaryHingeLoss(
  _ scores: Tensor, targets: Tensor, margin: Float = 1, isSquared: Bool = false, reduction: Reduction = .mean
) -> Tensor {
  requireEqualShapes("the hinge loss", scores, targets)
  let excess = (margin - targets * scores).relu()
  return reduction(isSquared ? excess.square() : excess)
}

/// The triplet margin loss max(0, d(a, p) − d(a, n) + Δ) (Schroff et al. 2015; as PyTorch's `triplet_margin_loss`) of embeddings N×D:
/// an anchor is to lie nearer to its positive than to its negative. By default averaged over the batch.
///
/// - Parameters:
///   - p: of the distance ‖x − y + 10⁻⁶‖ₚ.
///   - swaps: whether the negative's distance from the positive counts where that is the smaller one (Balntas et al. 2016).
public func tripletMarginLoss(
  anchor: Tensor, positive: Tensor, negative: Tensor, margin: Float = 1, p: Float = 2, swaps: Bool = false,
  reduction: Reduction = .mean
) -> Tensor {
  requireEqualShapes("the triplet loss", anchor, positive)
  requireEqualShapes("the triplet loss", anchor, negative)
  // The shift keeps the root away from 0, where it has no slope.
  func distance(_ a: Tensor, _ b: Tensor) -> Tensor { (a - b + 1e-6).norm(p, [-1]) }
  var away = distance(anchor, negative)
  if swaps { away = minimum(away, distance(positive, negative)) }
  return reduction((distance(anchor, positive) - away + margin).relu())
}
