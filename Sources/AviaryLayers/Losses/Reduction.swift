import AviaryTensors

/// What is made of the losses of many elements.
public enum Reduction: String, Sendable, Hashable, Codable {
  /// Their mean. Where elements are weighted by class, it is the weighted mean.
  case mean
  /// Their sum.
  case sum
  /// Their sum divided by the extent of axis 0: the mean over the examples of a batch, each with the sum of its elements.
  case batchMean
  /// Nothing: one loss each.
  case none

  /// The losses, put together so.
  func callAsFunction(_ losses: Tensor) -> Tensor {
    switch self {
    case .mean: losses.mean()
    case .sum: losses.sum()
    case .batchMean: losses.sum() * (1 / Float(losses.shape.first ?? 1))
    case .none: losses
    }
  }
}

/// Two operands of a loss must have one shape: N×1 against N would silently become N×N.
func requireEqualShapes(_ loss: StaticString, _ predictions: Tensor, _ targets: Tensor) {
  require(
    predictions.shape == targets.shape,
    "\(loss) of \(predictions.shape.shapeText) with targets \(targets.shape.shapeText)")
}
