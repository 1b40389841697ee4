import AviaryLayers
import AviaryTensors
import AviaryVision

/// The second look: what each proposed region holds, where exactly its box is, and which pixels are the object's (Girshick 2015,
/// arXiv:1504.08083; He et al. 2017, arXiv:1703.06870, figure 4).
package final class RegionHeads: Module {
  /// From a region's C×7×7 to features.
  package let boxHead: any Layer
  /// From those to logits and differences.
  package let boxPredictor: BoxPredictor
  /// From a region's C×14×14 to the same; nil without masks.
  package let maskHead: Sequential?
  /// From that to a mask per label.
  package let maskPredictor: MaskPredictor?
  private let rules: Rules

  /// What is decided without weights.
  struct Rules: Sendable, Hashable {
    /// The score that a detection exceeds.
    var score: Float = 0.05
    /// Detections of one label that overlap more than this are one.
    var suppression = 0.5
    /// Detections of a picture.
    var count = 100
  }

  static let boxSize = 7
  static let maskSize = 14

  /// - Parameters:
  ///   - channels: of the levels.
  ///   - features: between the linear maps.
  ///   - isSecond: torchvision's second version: convolutions before the linear maps, batch normalization in the place of biases.
  init(_ rules: Rules, channels: Int, features: Int, labels: Int, isSecond: Bool, hasMasks: Bool) {
    self.rules = rules
    func convolutions() -> [any Layer] {
      (0..<4).map { _ in
        let conv = Conv2d(
          channels, channels, kernel: 3, padding: 1, bias: !isSecond,
          initializer: .kaimingNormal(fan: .output))
        return isSecond
          ? Sequential(conv, BatchNorm(channels), Activate(.relu)) : Sequential(conv, Activate(.relu))
      }
    }
    let pooled = channels * Self.boxSize * Self.boxSize
    boxHead =
      isSecond
      ? Sequential(convolutions() + [Flatten(), Linear(pooled, features), Activate(.relu)])
      : TwoLayerHead(pooled, features)
    boxPredictor = BoxPredictor(features, labels: labels)
    maskHead = hasMasks ? Sequential(convolutions()) : nil
    maskPredictor = hasMasks ? MaskPredictor(channels, labels: labels) : nil
  }

  /// Logits R×labels and differences R×4·labels for the regions of boxes N×P×4, R = N·P.
  func callAsFunction(_ levels: [Tensor], boxes: Tensor, _ pooling: RegionPooling) -> (
    logits: Tensor, deltas: Tensor
  ) {
    boxPredictor(boxHead(pooling(levels, boxes: boxes, size: Self.boxSize)))
  }

  /// Boxes N×D×4, scores N×D and labels N×D of what is found.
  func detections(
    _ outputs: (logits: Tensor, deltas: Tensor), proposals: Tensor, in frame: Frame
  ) -> (boxes: Tensor, scores: Tensor, labels: Tensor) {
    let found = DetectionChoice(rules: rules, frame: frame)
      .apply([outputs.logits.softmax(), outputs.deltas, proposals])
    return (found[0], found[1], found[2])
  }

  /// Logits R×labels×28×28 of the masks in boxes N×D×4; nil without a mask branch.
  func masks(_ levels: [Tensor], boxes: Tensor, _ pooling: RegionPooling) -> Tensor? {
    guard let maskHead, let maskPredictor else { return nil }
    return maskPredictor(maskHead(pooling(levels, boxes: boxes, size: Self.maskSize)))
  }
}

/// Two linear maps with ReLU.
package final class TwoLayerHead: Layer {
  /// From a flattened region.
  package let fc6: Linear
  /// Between features.
  package let fc7: Linear

  init(_ inputs: Int, _ features: Int) {
    fc6 = Linear(inputs, features)
    fc7 = Linear(features, features)
  }

  /// R×C×h×w to R×features.
  package func callAsFunction(_ input: Tensor) -> Tensor {
    fc7(fc6(input.flattened(from: 1)).relu()).relu()
  }
}

/// What a region is, and by how much its box is to be changed for each label.
package final class BoxPredictor: Module {
  /// To logits, the background first.
  package let clsScore: Linear
  /// To four differences per label.
  package let bboxPred: Linear

  init(_ features: Int, labels: Int) {
    clsScore = Linear(features, labels)
    bboxPred = Linear(features, 4 * labels)
  }

  func callAsFunction(_ features: Tensor) -> (logits: Tensor, deltas: Tensor) {
    (clsScore(features), bboxPred(features))
  }
}

/// Twice the resolution, and a mask per label.
package final class MaskPredictor: Layer {
  /// 2×2, stride 2.
  package let conv5Mask: ConvTranspose2d
  /// 1×1.
  package let maskFcnLogits: Conv2d

  init(_ channels: Int, labels: Int) {
    conv5Mask = ConvTranspose2d(channels, channels, kernel: 2, stride: 2)
    maskFcnLogits = Conv2d(channels, labels, kernel: 1, initializer: .kaimingNormal(fan: .output))
  }

  /// R×C×14×14 to logits R×labels×28×28.
  package func callAsFunction(_ input: Tensor) -> Tensor { maskFcnLogits(conv5Mask(input).relu()) }
}

/// Of each region's answers for each label, those that are objects.
///
/// Inputs: probabilities R×labels, the background's first, differences R×4·labels, and proposals N×P×4, R = N·P. Results: boxes, scores and
/// labels.
struct DetectionChoice: BoxSelection {
  let rules: RegionHeads.Rules
  let frame: Frame
  var onnxName: String { "NonMaxSuppression" }

  /// Sides that a detection has at least.
  private static let leastSide: Float = 1e-2
  static let coder = BoxCoder(centreWeight: 10, sizeWeight: 5)

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    [BoxCandidates].specs(pictures: inputs[2].shape[0], most: rules.count)
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    let (scores, deltas, proposals) = (inputs[0].values(), inputs[1].values(), inputs[2].values())
    let (labels, perPicture) = (inputs[0].shape[1], inputs[2].shape[1])
    var counts = SelectionCounts("regions")
    let found = (0..<inputs[2].shape[0]).map { picture -> BoxCandidates in
      var candidates = BoxCandidates()
      var (regions, sure) = (0, 0)
      for region in picture * perPicture..<(picture + 1) * perPicture {
        let proposal = Box(proposals, at: region)
        guard proposal.width > 0, proposal.height > 0 else { continue }
        regions += 1
        for label in 1..<labels {
          let place = region * labels + label
          guard scores[place] > rules.score else { continue }
          sure += 1
          let box = Self.coder.decoded(
            deltas[4 * place], deltas[4 * place + 1], deltas[4 * place + 2], deltas[4 * place + 3],
            from: proposal
          ).clipped(width: frame.width, height: frame.height)
          guard box.width >= Self.leastSide, box.height >= Self.leastSide else { continue }
          candidates.append(box, score: scores[place], label: label)
        }
      }
      counts.add("proposals times labels", regions * (labels - 1))
      counts.add("scores above \(rules.score)", sure)
      counts.add("with an area", candidates.boxes.count)
      return candidates.suppressed(above: rules.suppression, most: rules.count, counting: &counts)
    }
    counts.tell()
    return found.tensors(most: rules.count)
  }
}
