import AviaryLayers
import AviaryTensors
import AviaryVision
import Foundation

/// Where objects may be, whatever they are (Ren, He, Girshick & Sun 2015, arXiv:1506.01497, section 3.1): at each place of each level, for
/// each of its anchors, how likely there is an object and where its box is.
package final class RegionProposalNetwork: Module {
  /// The convolutions that all levels share.
  package let head: Head

  package final class Head: Module {
    /// 3×3 convolutions with ReLU: one, or two.
    package let conv: Sequential
    /// 1×1 to a logit per anchor.
    package let clsLogits: Conv2d
    /// 1×1 to four differences per anchor.
    package let bboxPred: Conv2d

    init(_ channels: Int, anchors: Int, depth: Int) {
      let normal = Initializer.normal(standardDeviation: 0.01)
      conv = Sequential(
        (0..<depth).map { _ in
          Sequential(
            Conv2d(channels, channels, kernel: 3, padding: 1, initializer: normal), Activate(.relu))
        })
      clsLogits = Conv2d(channels, anchors, kernel: 1, initializer: normal)
      bboxPred = Conv2d(channels, 4 * anchors, kernel: 1, initializer: normal)
    }
  }

  private let rules: Rules

  /// What is decided without weights.
  struct Rules: Sendable, Hashable {
    var anchors: Anchors
    /// Of each level, those with the highest logits.
    var best = 1000
    /// The score that a proposal reaches.
    var leastScore: Float = 0
    /// Proposals of one level that overlap more than this are one.
    var suppression = 0.7
    /// Proposals of a picture.
    var count = 1000
  }

  /// - Parameters:
  ///   - channels: of the levels.
  ///   - depth: 3×3 convolutions.
  init(_ rules: Rules, channels: Int, depth: Int) {
    self.rules = rules
    head = Head(channels, anchors: rules.anchors.countPerPlace, depth: depth)
  }

  /// Logits N×A×h×w and differences N×4A×h×w of each level.
  func callAsFunction(_ levels: [Tensor]) -> [(logits: Tensor, deltas: Tensor)] {
    levels.map { level in
      let hidden = head.conv(level)
      return (head.clsLogits(hidden), head.bboxPred(hidden))
    }
  }

  /// The best boxes N×P×4 of a picture; where there are fewer than P, the rest is 0.
  func proposals(
    _ outputs: [(logits: Tensor, deltas: Tensor)], of picture: ScaledPicture, count: Int? = nil,
    best: Int? = nil
  ) -> Tensor {
    var rules = rules
    rules.count = count ?? rules.count
    rules.best = best ?? rules.best
    let choice = ProposalChoice(rules: rules, picture: picture.tensor.shape, frame: picture.frame)
    return choice.apply(outputs.flatMap { [$0.logits.detached, $0.deltas.detached] })[0]
  }

  /// The anchors of all levels, in the order of torchvision's: level, row, column, anchor.
  func anchors(_ outputs: [(logits: Tensor, deltas: Tensor)], of picture: ScaledPicture) -> [Box] {
    rules.anchors.boxes(outputs.map(\.logits.shape), picture: picture.tensor.shape).flatMap(\.self)
  }
}

/// Of all levels' answers, the boxes that are worth a second look.
///
/// Inputs: logits N×A×h×w and differences N×4A×h×w, level by level. Result: boxes N×P×4.
struct ProposalChoice: BoxSelection {
  let rules: RegionProposalNetwork.Rules
  /// With its padding.
  let picture: Shape
  let frame: Frame
  var onnxName: String { "Proposals" }

  /// Sides that a proposal has at least.
  private static let leastSide: Float = 1e-3

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    [TensorSpec([inputs[0].shape[0], rules.count, 4])]
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    let pictures = inputs[0].shape[0]
    let grids = stride(from: 0, to: inputs.count, by: 2).map {
      rules.anchors.grid($0 / 2, map: inputs[$0].shape, picture: picture)
    }
    let values = inputs.map { $0.values() }
    var counts = SelectionCounts("proposals")
    let found = (0..<pictures).map { index -> BoxCandidates in
      var candidates = BoxCandidates()
      counts.add("anchors", grids.reduce(0) { $0 + $1.count })
      counts.add("best \(rules.best) of each level", grids.reduce(0) { $0 + min($1.count, rules.best) })
      for (level, grid) in grids.enumerated() {
        append(grid, level, values[2 * level], values[2 * level + 1], picture: index, to: &candidates)
      }
      counts.add("with an area, and scores from \(rules.leastScore)", candidates.boxes.count)
      return candidates.suppressed(above: rules.suppression, most: rules.count, counting: &counts)
    }
    counts.tell()
    return [found.tensors(most: rules.count)[0]]
  }

  private func append(
    _ grid: AnchorGrid, _ level: Int, _ logits: [Float], _ deltas: [Float], picture: Int,
    to candidates: inout BoxCandidates
  ) {
    let (places, anchors) = (grid.rows * grid.columns, grid.cell.count)
    // From anchor by anchor to place by place.
    let start = picture * grid.count
    let ordered = (0..<grid.count).map { logits[start + $0 % anchors * places + $0 / anchors] }
    for index in positionsOfHighest(rules.best, of: ordered) {
      let (place, anchor) = index.quotientAndRemainder(dividingBy: anchors)
      let first = 4 * start + 4 * anchor * places + place
      let box = BoxCoder().decoded(
        deltas[first], deltas[first + places], deltas[first + 2 * places], deltas[first + 3 * places],
        from: grid[index]
      ).clipped(width: frame.width, height: frame.height)
      let score = sigmoid(ordered[index])
      guard box.width >= Self.leastSide, box.height >= Self.leastSide, score >= rules.leastScore else {
        continue
      }
      candidates.append(box, score: score, label: level)
    }
  }
}

/// 1 / (1 + e⁻ˣ).
func sigmoid(_ x: Float) -> Float { 1 / (1 + exp(-x)) }
