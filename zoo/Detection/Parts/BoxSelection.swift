import AviaryTensors
import AviaryVision

/// A step of a detector in plain Swift: it chooses boxes by their scores, as many as there are.
///
/// As an operation it is a part of the network's graph, which has fixed shapes: results have room for the most that can be chosen, and what is
/// left of it is empty, that is 0. No gradient flows through a choice.
protocol BoxSelection: Operation {}

extension BoxSelection {
  var keeps: Kept { [] }
  func gradient(_ context: GradientContext) -> [Tensor?] { context.inputSpecs.map { _ in nil } }
}

/// Boxes with scores and labels that are chosen from.
struct BoxCandidates {
  var boxes: [Box] = []
  var scores: [Float] = []
  /// Boxes with different numbers do not suppress each other.
  var labels: [Int] = []

  mutating func append(_ box: Box, score: Float, label: Int) {
    boxes.append(box)
    scores.append(score)
    labels.append(label)
  }

  /// The best of those that stay when those that overlap a better one of their label go; both are counted.
  func suppressed(
    above threshold: Double, most: Int, counting counts: inout SelectionCounts
  ) -> BoxCandidates {
    var result = BoxCandidates()
    let left = batchedSuppression(boxes, scores: scores, labels: labels, threshold: threshold)
    for index in left.prefix(most) {
      result.append(boxes[index], score: scores[index], label: labels[index])
    }
    counts.add("left by suppression above IoU \(threshold)", left.count)
    counts.add("best \(most)", result.boxes.count)
    return result
  }
}

extension [BoxCandidates] {
  /// What was found in each of N pictures as tensors with room for `most`: boxes N×`most`×4, scores N×`most`, labels N×`most` (int64).
  func tensors(most: Int) -> [Tensor] {
    var boxes = [Float](repeating: 0, count: 4 * count * most)
    var scores = [Float](repeating: 0, count: count * most)
    var labels = [Int64](repeating: 0, count: count * most)
    for (picture, found) in enumerated() {
      for (place, box) in found.boxes.enumerated() {
        let row = picture * most + place
        (boxes[4 * row], boxes[4 * row + 1], boxes[4 * row + 2], boxes[4 * row + 3]) = (
          box.x1, box.y1, box.x2, box.y2
        )
        scores[row] = found.scores[place]
        labels[row] = Int64(found.labels[place])
      }
    }
    return [
      Tensor(boxes, shape: [count, most, 4]), Tensor(scores, shape: [count, most]),
      Tensor(labels, shape: [count, most]),
    ]
  }

  static func specs(pictures: Int, most: Int) -> [TensorSpec] {
    [
      TensorSpec([pictures, most, 4]), TensorSpec([pictures, most]), TensorSpec([pictures, most], .int64),
    ]
  }
}

/// The positions of the `count` highest values, highest first, of equals the first one first. What is not a number is never among them.
func positionsOfHighest(_ count: Int, of values: [Float]) -> [Int] {
  placesOfHighest(count, of: values, ties: Array(values.indices))
}

/// As ``positionsOfHighest(_:of:)``; of equals the one with the lowest number in `ties` comes first.
func placesOfHighest(_ count: Int, of values: [Float], ties: [Int]) -> [Int] {
  var candidates = values.indices.filter { !values[$0].isNaN }
  // Only what can be among them is sorted.
  if candidates.count > 4 * count, count > 0 {
    let bar = nthHighest(count, of: candidates.map { values[$0] })
    candidates.removeAll { values[$0] < bar }
  }
  candidates.sort { (values[$1], ties[$0]) < (values[$0], ties[$1]) }
  return Array(candidates.prefix(count))
}

/// The value that `count` values reach at least, by quickselect (Hoare 1961, "Algorithm 65: find").
private func nthHighest(_ count: Int, of values: [Float]) -> Float {
  var values = values
  var (low, high) = (0, values.count - 1)
  let target = count - 1
  while low < high {
    let pivot = values[low + (high - low) / 2]
    var (left, right) = (low, high)
    while left <= right {
      while values[left] > pivot { left += 1 }
      while values[right] < pivot { right -= 1 }
      if left <= right {
        values.swapAt(left, right)
        left += 1
        right -= 1
      }
    }
    if target <= right { high = right } else if target >= left { low = left } else { break }
  }
  return values[target]
}
