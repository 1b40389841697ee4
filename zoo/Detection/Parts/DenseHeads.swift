import AviaryLayers
import AviaryTensors
import Foundation

/// What is at each place of a level, by convolutions that all levels share (Lin, Goyal, Girshick, He & Dollár 2017, arXiv:1708.02002, figure
/// 3c): `classification_head` of torchvision.
package final class ClassificationTower: Module {
  /// Four convolutions of 3×3.
  package let conv: Sequential
  /// 3×3 to a logit per anchor and label.
  package let clsLogits: Conv2d

  /// Of all logits, before training: one in a hundred places holds an object (section 3.3).
  private static let prior = 0.01

  init(_ form: TowerForm, anchors: Int, labels: Int) {
    conv = form.tower()
    clsLogits = TowerForm.convolution(anchors * labels)
    clsLogits.bias?.value = Tensor(
      repeating: Float(-log((1 - Self.prior) / Self.prior)), shape: [anchors * labels])
  }

  /// N×256×h×w to logits N×A·labels×h×w.
  func callAsFunction(_ level: Tensor) -> Tensor { clsLogits(conv(level)) }
}

/// Where its box is: `regression_head` of torchvision.
package final class RegressionTower: Module {
  /// Four convolutions of 3×3.
  package let conv: Sequential
  /// 3×3 to four numbers per anchor.
  package let bboxReg: Conv2d
  /// 3×3 to a logit per anchor, how near its place is to the object's centre; nil where that is not asked.
  package let bboxCtrness: Conv2d?

  init(_ form: TowerForm, anchors: Int) {
    conv = form.tower()
    bboxReg = TowerForm.convolution(4 * anchors)
    bboxCtrness = form == .flat ? TowerForm.convolution(anchors) : nil
  }

  /// N×256×h×w to N×4A×h×w and N×A×h×w.
  func callAsFunction(_ level: Tensor) -> (deltas: Tensor, centreness: Tensor?) {
    let hidden = conv(level)
    return (bboxReg(hidden), bboxCtrness?(hidden))
  }
}

/// How the four convolutions of a tower are put together and named.
enum TowerForm: Sendable, Hashable {
  /// Each with its ReLU, and group normalization or a bias between them: `conv.0.0`, `conv.0.1`.
  case nested(hasNorm: Bool)
  /// Convolutions with biases, group normalizations and ReLU in one list: `conv.0`, `conv.1`, `conv.3`.
  case flat

  private static let groups = 32

  static func convolution(_ outputs: Int, bias: Bool = true) -> Conv2d {
    Conv2d(
      FeaturePyramid.channels, outputs, kernel: 3, padding: 1, bias: bias,
      initializer: .normal(standardDeviation: 0.01))
  }

  func tower() -> Sequential {
    let channels = FeaturePyramid.channels
    func norm() -> GroupNorm { GroupNorm(channels, groups: Self.groups) }
    switch self {
    case .nested(let hasNorm):
      return Sequential(
        (0..<4).map { _ in
          let conv = Self.convolution(channels, bias: !hasNorm)
          return hasNorm
            ? Sequential(conv, norm(), Activate(.relu)) : Sequential(conv, Activate(.relu))
        })
    case .flat:
      return Sequential(
        (0..<4).flatMap { _ -> [any Layer] in
          [Self.convolution(channels), norm(), Activate(.relu)]
        })
    }
  }
}
