import AviaryLayers
import AviaryTensors
import AviaryVision
import Foundation

// What the heads of YOLO v2 and v3 learn from (`region_layer.c`, `yolo_layer.c`): the loss whose gradient is the step that darknet makes, which
// prints the steps' squares instead. Darknet pulls the boxes of v2 towards their anchors for the first 12 800 pictures besides; this does not.

extension DarknetHead {
  /// What one box of the map shall learn.
  private struct Target {
    var certainty: Float = 0
    /// What its error counts; 0 where an object is found well enough, though not by the box that shall find it.
    var certaintyCounts: Float
    /// Centre within the cell, and how often the sides are the anchor's, as the map has them.
    var box: [Float] = []
    /// What errors of these count: more for small objects.
    var boxCounts: Float = 0
    var labels: Set<Int> = []
  }

  /// The losses of a map N×(boxes·(5 + classes))×H×W.
  func anchorLosses(_ map: Tensor, _ objects: [[DarknetObject]]) -> DarknetLosses {
    let width = 5 + classes
    let rows = cells(map).reshaped([-1, width])
    let targets = targets(decoded(map.detached).values(), objects)
    let share = 1 / Float(objects.count)
    let logits = newCoordinates ? rows.logits : rows
    let certainties = logits.sliced(1, 4..<5)
    let wanted = Tensor(targets.map(\.certainty), shape: certainties.shape)
    let counts = Tensor(targets.map { $0.certaintyCounts * share }, shape: certainties.shape)
    let places = targets.indices.filter { !targets[$0].box.isEmpty }
    var losses = DarknetLosses(
      box: Tensor(Float(0)), object: (error(certainties, wanted) * counts).sum(), classes: Tensor(Float(0)))
    guard !places.isEmpty else { return losses }

    let numbers = Tensor(places.flatMap { targets[$0].box }, shape: [places.count, 4])
    let boxCounts = Tensor(places.map { targets[$0].boxCounts * share }, shape: [places.count, 1])
    let own = logits.taking(places, axis: 0)
    let sides = rows.taking(places, axis: 0).sliced(1, 2..<4)
    let centreLoss = error(own.sliced(1, 0..<2), numbers.sliced(1, 0..<2)) * boxCounts
    let sideLoss = (sides - numbers.sliced(1, 2..<4)).square() * 0.5 * boxCounts
    losses.box = centreLoss.sum() + sideLoss.sum()

    let scores = own.sliced(1, 5..<width)
    let labels = Tensor(
      places.flatMap { place in (0..<classes).map { targets[place].labels.contains($0) ? Float(1) : 0 } },
      shape: scores.shape)
    let each =
      sharesClasses
      ? -(scores.logSoftmax() * labels) : sigmoidCrossEntropy(scores, targets: labels, reduction: .none)
    losses.classes = each.sum() * (learning.classes * share)
    return losses
  }

  /// Of the logistic function of logits: v3 learns by cross-entropy, v2 by half the squared error.
  private func error(_ logits: Tensor, _ targets: Tensor) -> Tensor {
    guard case .region = kind else {
      return sigmoidCrossEntropy(logits, targets: targets, reduction: .none)
    }
    return (logits.sigmoid() - targets).square() * 0.5
  }

  private var newCoordinates: Bool {
    if case .yolo(_, newCoordinates: true) = kind { true } else { false }
  }

  private var sharesClasses: Bool {
    if case .region(usesSoftmax: true) = kind { true } else { false }
  }

  /// The target of each row, of what the boxes are now, N·cells·boxes rows of 5 + classes.
  private func targets(_ rows: [Float], _ objects: [[DarknetObject]]) -> [Target] {
    let count = rowCount
    var result = [Target](
      repeating: Target(certaintyCounts: learning.background), count: objects.count * count)
    func box(_ row: Int) -> Box {
      let start = row * (5 + classes)
      return Box(
        centreX: rows[start], centreY: rows[start + 1], width: rows[start + 2], height: rows[start + 3])
    }
    for (picture, objects) in objects.enumerated() {
      for place in 0..<count where !objects.isEmpty {
        let row = picture * count + place
        let own = box(row)
        let overlaps = objects.map { own.iou($0.box) }
        let best = overlaps.indices.max { overlaps[$0] < overlaps[$1] }!
        if overlaps[best] > learning.ignored { result[row].certaintyCounts = 0 }
        if case .yolo = kind, overlaps[best] > learning.certain {
          teach(objects[best], anchor: place % boxes, cell: place / boxes, certainty: 1, &result[row])
        }
      }
      for object in objects {
        let column = cell(of: (object.box.x1 + object.box.x2) / 2, shape.width)
        let cell = cell(of: (object.box.y1 + object.box.y2) / 2, shape.height) * shape.width + column
        let first = picture * count + cell * boxes
        guard let anchor = anchor(for: object.box, among: (0..<boxes).map { box(first + $0) }) else {
          continue
        }
        let overlap = learning.rescores ? box(first + anchor).iou(object.box) : 1
        teach(object, anchor: anchor, cell: cell, certainty: overlap, &result[first + anchor])
      }
    }
    return result
  }

  private func cell(of centre: Float, _ count: Int) -> Int {
    min(max(Int(centre * Float(count)), 0), count - 1)
  }

  /// The box of a cell whose size is most like an object's: that of its anchor, or with v2 as it is now; nil where the anchor is another head's.
  private func anchor(for box: Box, among boxes: [Box]) -> Int? {
    func overlap(_ width: Float, _ height: Float) -> Float {
      let common = min(width, box.width) * min(height, box.height)
      return common / (width * height + box.width * box.height - common)
    }
    func best(_ overlaps: [Float]) -> Int { overlaps.indices.max { overlaps[$0] < overlaps[$1] } ?? 0 }
    func sides(_ anchors: [Float], _ unit: (Float, Float)) -> [Float] {
      stride(from: 0, to: anchors.count, by: 2).map {
        overlap(anchors[$0] / unit.0, anchors[$0 + 1] / unit.1)
      }
    }
    if case .yolo = kind {
      let all = sides(learning.anchors, (Float(picture.width), Float(picture.height)))
      return learning.mask.firstIndex(of: best(all))
    }
    return learning.matchesAnchors
      ? best(sides(anchors, (Float(shape.width), Float(shape.height))))
      : best(boxes.map { overlap($0.width, $0.height) })
  }

  private func teach(
    _ object: DarknetObject, anchor: Int, cell: Int, certainty: Float, _ target: inout Target
  ) {
    let box = object.box
    var unit = (width: Float(shape.width), height: Float(shape.height))
    var centre = [
      (box.x1 + box.x2) / 2 * unit.width - Float(cell % shape.width),
      (box.y1 + box.y2) / 2 * unit.height - Float(cell / shape.width),
    ]
    if case .yolo(let scale, _) = kind {
      unit = (Float(picture.width), Float(picture.height))
      // The centre reaches over its cell by scale_x_y.
      if scale != 1 { centre = centre.map { min(max(($0 + (scale - 1) / 2) / scale, 0), 1) } }
    }
    let ratios = [
      box.width * unit.width / anchors[2 * anchor], box.height * unit.height / anchors[2 * anchor + 1],
    ]
    target.box = centre + ratios.map { newCoordinates ? $0.squareRoot() / 2 : log($0) }
    target.boxCounts = learning.coordinates * (2 - box.width * box.height)
    (target.certainty, target.certaintyCounts) = (certainty, learning.objects)
    // Classes that are by themselves may both be there.
    if sharesClasses { target.labels = [] }
    target.labels.insert(object.label)
  }
}

extension Tensor {
  /// What the logistic function makes these shares of.
  fileprivate var logits: Tensor {
    let shares = clipped(1e-7, 1 - 1e-7)
    return shares.log() - (1 - shares).log()
  }
}
