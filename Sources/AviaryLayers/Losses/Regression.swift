import AviaryTensors

/// (x − t)², by default averaged over everything.
public func meanSquaredError(_ predictions: Tensor, _ targets: Tensor, reduction: Reduction = .mean) -> Tensor
{
  requireEqualShapes("the squared error", predictions, targets)
  return reduction((predictions - targets).square())
}

/// |x − t| (L1), by default averaged over everything.
public func meanAbsoluteError(
  _ predictions: Tensor, _ targets: Tensor, reduction: Reduction = .mean
) -> Tensor {
  requireEqualShapes("the absolute error", predictions, targets)
  return reduction((predictions - targets).abs())
}

/// Quadratic within ±`beta`, linear with a slope of 1 beyond (Girshick 2015): d²/2β, else |d| − β/2. A `beta` of 0 gives |d|.
///
/// This is ``huberLoss(_:_:delta:reduction:)`` divided by β.
public func smoothL1(
  _ predictions: Tensor, _ targets: Tensor, beta: Float = 1, reduction: Reduction = .mean
) -> Tensor {
  require(beta >= 0, "smooth L1 with a beta of \(beta)")
  if beta == 0 { return meanAbsoluteError(predictions, targets, reduction: reduction) }
  return reduction(huberLosses(predictions, targets, beta) / beta)
}

/// Quadratic within ±`delta`, linear with a slope of δ beyond (Huber 1964): d²/2, else δ·(|d| − δ/2).
public func huberLoss(
  _ predictions: Tensor, _ targets: Tensor, delta: Float = 1, reduction: Reduction = .mean
) -> Tensor {
  require(delta > 0, "the Huber loss with a delta of \(delta)")
  return reduction(huberLosses(predictions, targets, delta))
}

/// c²/2 + δ·(|d| − c) with c = min(|d|, δ). Choosing one of the two formulas instead would make a gradient of 0·∞ where d is infinite.
private func huberLosses(_ predictions: Tensor, _ targets: Tensor, _ delta: Float) -> Tensor {
  requireEqualShapes("the Huber loss", predictions, targets)
  let distance = (predictions - targets).abs()
  let near = distance.clipped(0, delta)
  return near.square() * 0.5 + (distance - near) * delta
}
