import AviaryLayers
import AviaryTensors
import AviaryVision

/// Fast R-CNN (Girshick 2015, "Fast R-CNN", arXiv:1504.08083, figure 1): the convolutions see the whole picture once; of each region that
/// someone proposes, the largest values in a grid of bins are classified, and its box is corrected.
///
/// Between ``RCNN``, which classifies each region by itself, and ``FasterRCNN``, which proposes the regions as well.
public final class FastRCNN: Module {
  /// From pictures N×3×H×W to a map N×C×h×w.
  public let body: any Layer
  /// From a pooled region's C×7×7 to features.
  package let boxHead: TwoLayerHead
  /// From those to logits, the background first, and four differences per label.
  package let boxPredictor: BoxPredictor
  /// Pixels from one place of the map to the next.
  public let stride: Int

  /// A region is an object's if it overlaps one by half.
  private static let matcher = BoxMatcher(least: 0.5, most: 0.5, keepsBest: false)

  /// - Parameters:
  ///   - channels: C of the body's map.
  ///   - features: between the two linear maps: the paper's 4096.
  ///   - labels: numbers that a label may have, with the background.
  public init(_ body: any Layer, channels: Int, stride: Int, features: Int = 4096, labels: Int) {
    self.body = body
    self.stride = stride
    boxHead = TwoLayerHead(channels * RegionHeads.boxSize * RegionHeads.boxSize, features)
    boxPredictor = BoxPredictor(features, labels: labels)
  }

  /// Logits R×labels and differences R×4·labels for the regions of each picture, one picture's after another's.
  ///
  /// - Parameter regions: in pixels.
  public func callAsFunction(
    _ pictures: Tensor, regions: [[Box]]
  ) -> (logits: Tensor, deltas: Tensor) {
    require(
      regions.count == pictures.shape[0], "regions of \(regions.count) pictures for \(pictures.shape[0])")
    let edges = regions.enumerated().flatMap { picture, boxes in
      boxes.flatMap { [Float(picture), $0.x1, $0.y1, $0.x2, $0.y2] }
    }
    let size = RegionHeads.boxSize
    let pooled = regionsMaxPooled(
      body(pictures), regions: Tensor(edges, shape: [edges.count / 5, 5]), size: (size, size),
      scale: 1 / Float(stride))
    return boxPredictor(boxHead(pooled))
  }

  /// The likeliest label of each region but the background, its score, and the region corrected for it.
  public func found(
    _ pictures: Tensor, regions: [[Box]]
  ) -> [(box: Box, labelIndex: Int, score: Float)] {
    let (logits, deltas) = self(pictures, regions: regions)
    let (scores, differences, labels) = (logits.softmax().values(), deltas.values(), logits.shape[1])
    return regions.flatMap(\.self).enumerated().map { row, region in
      let label = (1..<labels).max { scores[row * labels + $0] < scores[row * labels + $1] } ?? 0
      let first = 4 * (row * labels + label)
      let box = DetectionChoice.coder.decoded(
        differences[first], differences[first + 1], differences[first + 2], differences[first + 3],
        from: region)
      return (box, label, scores[row * labels + label])
    }
  }

  /// The two losses of section 2.3, means over the regions: of labels, and of the boxes of those that are an object's.
  ///
  /// - Parameter truth: the objects of each picture, labels from 1.
  public func losses(
    _ pictures: Tensor, regions: [[Box]], truth: [[Instance]]
  ) -> (classifier: Tensor, boxes: Tensor) {
    let (logits, deltas) = self(pictures, regions: regions)
    let count = logits.shape[1]
    var (labels, rows, targets): ([Int64], [Int], [Float]) = ([], [], [])
    for (boxes, objects) in zip(regions, truth) {
      for (region, match) in zip(boxes, Self.matcher(boxes, truth: objects.map(\.box))) {
        let object = match.object.map { objects[$0] }
        if let object {
          rows.append(labels.count * count + object.labelIndex)
          targets += DetectionChoice.coder.encoded(object.box, from: region)
        }
        labels.append(Int64(object?.labelIndex ?? 0))
      }
    }
    let classifier = softmaxCrossEntropy(logits, labels: Tensor(labels))
    if rows.isEmpty { return (classifier, Tensor(Float(0))) }
    let own = deltas.reshaped([-1, 4]).taking(rows, axis: 0)
    let boxes = smoothL1(own, Tensor(targets, shape: own.shape), reduction: .sum)
    return (classifier, boxes / Float(labels.count))
  }
}
