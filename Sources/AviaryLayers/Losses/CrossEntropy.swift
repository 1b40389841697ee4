import AviaryTensors

/// Cross-entropy of `logits` N×C or N×C×spatial with int64 `labels` N or N×spatial: −log softmax(logits)[label].
///
/// Numbers as PyTorch's `cross_entropy` has them. Label smoothing ε (Szegedy et al. 2016) mixes the one-hot target with the uniform
/// distribution, which is weighted by class too.
/// - Parameters:
///   - smoothing: ε; the label's own class keeps 1 − ε + ε/C.
///   - classWeights: C, what the loss of an element of each class is multiplied by. The mean is then divided by the sum of the weights of
///     the labels.
///   - ignored: elements with this label, which may be none of the classes, count nothing, also not in the mean. The mean of no elements is NaN.
///   - reduction: with ``Reduction/none`` the result has the shape of the labels.
public func softmaxCrossEntropy(
  _ logits: Tensor, labels: Tensor, smoothing: Float = 0, classWeights: Tensor? = nil,
  ignoring ignored: Int? = nil, reduction: Reduction = .mean
) -> Tensor {
  require(
    logits.rank >= 2 && labels.shape == [logits.shape[0]] + logits.shape[2...],
    "cross-entropy of logits \(logits.shape.shapeText) with labels \(labels.shape.shapeText)")
  let logProbabilities = logits.logSoftmax(1)
  let targets = LabelTargets(labels, classes: logits.shape[1], classWeights, ignoring: ignored)
  var losses = -logProbabilities.gathered(1, targets.positions).squeezed(1)
  if let weights = targets.weights { losses = losses * weights }
  if smoothing != 0 {
    let weighted = classWeights.map { logProbabilities * alongClasses($0, logits) } ?? logProbabilities
    losses = losses * (1 - smoothing) - weighted.sum([1]) * (smoothing / Float(logits.shape[1]))
  }
  // Chosen, not multiplied by 0: what an ignored element's logits are does not matter, NaN and −∞ included.
  if let counted = targets.counted { losses = select(counted, losses, Tensor(Float(0))) }
  guard reduction == .mean, let total = targets.total else { return reduction(losses) }
  return losses.sum() / Tensor(total)
}

/// Cross-entropy of `logits` N×C or N×C×spatial with a distribution over the classes for each element, of the shape of the logits: the
/// targets of mixup, cutmix and distillation.
///
/// −Σ_c w_c·t_c·log softmax(logits)_c, as PyTorch's `cross_entropy` has it: the mean is over the elements, whatever the classes' weights.
/// - Parameters:
///   - smoothing: ε; the targets become (1 − ε)·t + ε/C.
///   - classWeights: C, what each class counts.
///   - reduction: with ``Reduction/none`` the result is N or N×spatial.
public func softmaxCrossEntropy(
  _ logits: Tensor, probabilities: Tensor, smoothing: Float = 0, classWeights: Tensor? = nil,
  reduction: Reduction = .mean
) -> Tensor {
  require(logits.rank >= 2, "cross-entropy of logits \(logits.shape.shapeText)")
  requireEqualShapes("cross-entropy", logits, probabilities)
  var targets = probabilities
  if smoothing != 0 {
    targets = targets.affine(scale: 1 - smoothing, shift: smoothing / Float(logits.shape[1]))
  }
  if let classWeights { targets = targets * alongClasses(classWeights, logits) }
  return reduction(-(targets * logits.logSoftmax(1)).sum([1]))
}

/// Labels as tensors to compute with.
private struct LabelTargets {
  /// N×1×spatial, valid for every element: an ignored one points at class 0.
  let positions: Tensor
  /// What each element counts, of the labels' shape; nil where that is 1.
  var weights: Tensor?
  /// Where the label is not ignored; nil where all count.
  var counted: Tensor?
  /// The sum of what the elements count; nil where it is their number.
  var total: Float?

  init(_ labels: Tensor, classes: Int, _ classWeights: Tensor?, ignoring ignored: Int?) {
    let labels = labels.cast(to: .int64)
    guard classWeights != nil || ignored != nil else {
      positions = labels.expandedAxis(at: 1)
      return
    }
    require(
      classWeights.map { $0.shape == [classes] } ?? true,
      "weights \(classWeights?.shape.shapeText ?? "") for \(classes) classes")
    let values = labels.values(of: Int64.self).map(Int.init)
    for value in values where value != ignored {
      require(0..<classes ~= value, "the label \(value) of \(classes) classes")
    }
    let factors = classWeights?.cast(to: .float32).values()
    let each = values.map { $0 == ignored ? 0 : factors?[$0] ?? 1 }
    positions = Tensor(values.map { $0 == ignored ? 0 : Int64($0) }, shape: labels.shape).expandedAxis(at: 1)
    if factors != nil { weights = Tensor(each, shape: labels.shape) }
    if ignored != nil { counted = Tensor(values.map { $0 != ignored }, shape: labels.shape) }
    total = each.reduce(0, +)
  }
}

/// A number for each class in the shape that goes with N×C×spatial.
private func alongClasses(_ values: Tensor, _ logits: Tensor) -> Tensor {
  values.reshaped([logits.shape[1]] + Shape(repeating: 1, count: logits.rank - 2))
}
