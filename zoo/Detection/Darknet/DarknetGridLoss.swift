import AviaryLayers
import AviaryTensors
import AviaryVision

// What the head of YOLO v1 learns from (Redmon et al. 2016, arXiv:1506.02640, equation 3; `detection_layer.c`): a squared error of all numbers.
// Halved, so that its gradient is the step that darknet makes.

extension DarknetHead {
  /// The losses of a vector N×(S²·(classes + 5·boxes)), whose cells have one object each: the first whose centre is there.
  func gridLosses(
    _ map: Tensor, side: Int, squaresSides: Bool, usesSoftmax: Bool, _ objects: [[DarknetObject]]
  ) -> DarknetLosses {
    let cells = side * side
    let (scores, certainties, places) = gridParts(map, cells: cells)
    let rows = decoded(map.detached).values()
    let count = objects.count * cells * boxes
    var (wanted, counts) = (
      [Float](repeating: 0, count: count), [Float](repeating: learning.background, count: count)
    )
    var (labelled, labels, found, numbers): ([Int], [Int], [Int], [Float]) = ([], [], [], [])
    for (picture, objects) in objects.enumerated() {
      var taken: Set<Int> = []
      for object in objects {
        let centre = ((object.box.x1 + object.box.x2) / 2, (object.box.y1 + object.box.y2) / 2)
        let column = min(max(Int(centre.0 * Float(side)), 0), side - 1)
        let row = min(max(Int(centre.1 * Float(side)), 0), side - 1)
        guard taken.insert(row * side + column).inserted else { continue }
        let cell = picture * cells + row * side + column
        labelled.append(cell)
        labels.append(object.label)
        let (place, overlap) = responsible(for: object.box, from: cell * boxes, rows)
        found.append(place)
        wanted[place] = learning.rescores ? overlap : 1
        counts[place] = learning.objects
        let sides = [object.box.width, object.box.height]
        numbers += [centre.0 * Float(side) - Float(column), centre.1 * Float(side) - Float(row)]
        numbers += squaresSides ? sides.map { $0.squareRoot() } : sides
      }
    }
    let half = 0.5 / Float(objects.count)
    let errors = (certainties - Tensor(wanted, shape: certainties.shape)).square()
    var losses = DarknetLosses(
      box: Tensor(Float(0)), object: (errors * Tensor(counts, shape: certainties.shape)).sum() * half,
      classes: Tensor(Float(0)))
    guard !found.isEmpty else { return losses }
    let boxErrors = places.taking(found, axis: 0) - Tensor(numbers, shape: [found.count, 4])
    losses.box = boxErrors.square().sum() * (learning.coordinates * half)
    let own = scores.taking(labelled, axis: 0)
    losses.classes =
      usesSoftmax
      ? softmaxCrossEntropy(own, labels: Tensor(labels.map(Int64.init)), reduction: .sum)
        * (learning.classes * 2 * half)
      : (own
        - Tensor(
          labels.flatMap { label in (0..<classes).map { $0 == label ? Float(1) : 0 } }, shape: own.shape))
        .square().sum() * (learning.classes * half)
    return losses
  }

  /// The box of a cell that shall find an object: that which overlaps it most, or where none does is nearest to it, and its overlap.
  private func responsible(for object: Box, from first: Int, _ rows: [Float]) -> (place: Int, overlap: Float)
  {
    let own = (first..<first + boxes).map { Array(rows[$0 * (5 + classes)..<$0 * (5 + classes) + 4]) }
    let overlaps = own.map {
      Box(centreX: $0[0], centreY: $0[1], width: $0[2], height: $0[3]).iou(object)
    }
    let wanted = [(object.x1 + object.x2) / 2, (object.y1 + object.y2) / 2, object.width, object.height]
    let distances = own.map { zip($0, wanted).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } }
    let isMet = overlaps.contains { $0 > 0 }
    let best =
      (isMet
        ? overlaps.indices.max { overlaps[$0] < overlaps[$1] }
        : distances.indices.min { distances[$0] < distances[$1] }) ?? 0
    return (first + best, overlaps[best])
  }
}
