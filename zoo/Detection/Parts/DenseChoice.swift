import AviaryTensors
import AviaryVision
import Foundation

/// Of the answers at all places of all levels, those that are objects.
///
/// Inputs, level by level: logits N×A·K×h×w, a sigmoid for each label, differences N×4A×h×w, and where there is one the centre-ness N×A×h×w.
/// Results: boxes, scores and labels.
struct DenseChoice: BoxSelection {
  /// What is decided without weights.
  struct Rules: Sendable, Hashable {
    /// The score that a detection exceeds.
    var score: Float
    /// Of each level, the best.
    var best = 1000
    /// Detections of one label that overlap more than this are one.
    var suppression: Double
    /// Detections of a picture.
    var count: Int
  }

  /// How four numbers make a box of an anchor.
  enum Coding: Sendable, Hashable {
    /// Shifts and logarithms of ratios.
    case differences
    /// Distances of the four edges from the anchor's centre in shares of its sides; there is a centre-ness.
    case distances
  }

  let rules: Rules
  let coding: Coding
  let anchors: Anchors
  /// With its padding.
  let picture: Shape
  let frame: Frame
  var onnxName: String { "NonMaxSuppression" }

  private var inputsPerLevel: Int { coding == .distances ? 3 : 2 }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    [BoxCandidates].specs(pictures: inputs[0].shape[0], most: rules.count)
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    let starts = Array(stride(from: 0, to: inputs.count, by: inputsPerLevel))
    let grids = starts.enumerated().map { anchors.grid($0, map: inputs[$1].shape, picture: picture) }
    let values = inputs.map { $0.values() }
    var counts = SelectionCounts("boxes")
    let found = (0..<inputs[0].shape[0]).map { index -> BoxCandidates in
      var candidates = BoxCandidates()
      for (start, grid) in zip(starts, grids) {
        let level = Level(grid: grid, values: Array(values[start..<start + inputsPerLevel]), picture: index)
        for (position, score) in best(of: level, counting: &counts) {
          let (anchor, label) = position.quotientAndRemainder(dividingBy: level.labels)
          let box = box(anchor, level).clipped(width: frame.width, height: frame.height)
          candidates.append(box, score: score, label: label)
        }
      }
      return candidates.suppressed(above: rules.suppression, most: rules.count, counting: &counts)
    }
    counts.tell()
    return found.tensors(most: rules.count)
  }

  /// What one level says of one picture.
  private struct Level {
    let grid: AnchorGrid
    /// Logits, differences, centre-ness.
    let values: [[Float]]
    let picture: Int

    var places: Int { grid.rows * grid.columns }
    /// Numbers that a label may have.
    var labels: Int { values[0].count / (values[1].count / 4) }

    /// Where in a list of A·`each` maps the first number of an anchor is.
    func place(_ anchor: Int, each: Int) -> Int {
      let (place, inner) = anchor.quotientAndRemainder(dividingBy: grid.cell.count)
      return (picture * grid.cell.count + inner) * each * places + place
    }
  }

  /// Positions, anchor by anchor and in it label by label, of the best scores, best first.
  private func best(
    of level: Level, counting counts: inout SelectionCounts
  ) -> [(position: Int, score: Float)] {
    // A logit well below this cannot have a score above the threshold; a centre-ness only makes it less.
    let least = coding == .distances ? rules.score * rules.score : rules.score
    let bar = log(least / (1 - least)) - 1e-2
    var (positions, scores): ([Int], [Float]) = ([], [])
    let (places, labels, anchors) = (level.places, level.labels, level.grid.cell.count)
    for channel in 0..<anchors * labels {
      let start = (level.picture * anchors * labels + channel) * places
      let (inner, label) = channel.quotientAndRemainder(dividingBy: labels)
      for place in 0..<places where level.values[0][start + place] > bar {
        let anchor = place * anchors + inner
        var score = sigmoid(level.values[0][start + place])
        if coding == .distances {
          score = (score * sigmoid(level.values[2][level.place(anchor, each: 1)])).squareRoot()
        }
        guard score > rules.score else { continue }
        positions.append(anchor * labels + label)
        scores.append(score)
      }
    }
    let best = placesOfHighest(rules.best, of: scores, ties: positions)
    counts.add("anchors times labels", places * anchors * labels)
    counts.add("scores above \(rules.score)", scores.count)
    counts.add("best \(rules.best) of each level", best.count)
    return best.map { (positions[$0], scores[$0]) }
  }

  private func box(_ anchor: Int, _ level: Level) -> Box {
    let (first, places) = (level.place(anchor, each: 4), level.places)
    let codes = (0..<4).map { level.values[1][first + $0 * places] }
    let known = level.grid[anchor]
    switch coding {
    case .differences: return BoxCoder().decoded(codes[0], codes[1], codes[2], codes[3], from: known)
    case .distances: return known.reaching(codes[0], codes[1], codes[2], codes[3])
    }
  }
}

extension Box {
  /// The box whose edges are as far from this one's centre, in shares of its sides.
  func reaching(_ left: Float, _ top: Float, _ right: Float, _ bottom: Float) -> Box {
    let (x, y) = (0.5 * (x1 + x2), 0.5 * (y1 + y2))
    return Box(x1: x - left * width, y1: y - top * height, x2: x + right * width, y2: y + bottom * height)
  }
}
