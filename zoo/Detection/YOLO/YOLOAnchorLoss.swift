import AviaryLayers
import AviaryTensors
import AviaryVision

/// What a YOLO with anchors learns from (ultralytics' `ComputeLoss` of v5): boxes and classes where anchors answer for objects, and at all
/// places how sure the network shall be that there is one.
public struct YOLOAnchorLoss: Sendable, Hashable, Codable {
  /// What 1 − the complete overlap counts.
  public var box: Float = 0.05
  /// What the cross-entropy of the certainty counts.
  public var object: Float = 1
  /// What the cross-entropy of the classes counts.
  public var classes: Float = 0.5

  /// The weights of ultralytics.
  public init() {}

  /// What the certainties of the three maps count, the finest's first.
  private static let balance: [Float] = [4, 1, 0.4]
  /// An anchor answers for objects whose sides are less than so many times as long or as short.
  private static let mostRatio: Float = 4

  /// An anchor at a place that answers for an object.
  struct Target {
    /// Its row among those of all pictures, anchors and places of a map.
    let row: Int
    let anchor: Int
    let label: Int
    /// From the upper left corner of the place to the object's left, upper, right and lower edge, in places, outwards.
    let distances: [Float]
  }

  /// The three parts of the loss of a batch, each one element, sums over the maps of means.
  ///
  /// - Parameters:
  ///   - maps: N×3·(5 + classes)×H×W for each stride, as ``AnchorHead`` makes them.
  ///   - instances: the objects of each picture, in pixels; there may be none.
  func callAsFunction(
    _ maps: [Tensor], _ head: AnchorHead, instances: [[Instance]]
  ) -> (box: Tensor, object: Tensor, classes: Tensor) {
    var (box, object, classes) = (Tensor(Float(0)), Tensor(Float(0)), Tensor(Float(0)))
    let (numbers, count) = (5 + head.classes, AnchorHead.count)
    let sides = head.anchors.value.values()
    for (level, map) in maps.enumerated() {
      let anchors = (0..<count).map { anchor in
        (width: sides[2 * (level * count + anchor)], height: sides[2 * (level * count + anchor) + 1])
      }
      let rows = map.reshaped([map.shape[0], count, numbers, -1]).transposed().reshaped([-1, numbers])
      let targets = targets(instances, anchors, map: map.shape, stride: Float(YOLO.strides[level]))
      var certainties = [Float](repeating: 0, count: rows.shape[0])
      if !targets.isEmpty {
        let own = rows.taking(targets.map(\.row), axis: 0)
        let centres = own.sliced(1, 0..<2).sigmoid() * 2 - 0.5
        let sizes = Tensor(
          targets.flatMap { [anchors[$0.anchor].width, anchors[$0.anchor].height] },
          shape: [targets.count, 2])
        let halves = (own.sliced(1, 2..<4).sigmoid() * 2).square() * sizes * 0.5
        let overlaps = completeOverlaps(
          concatenate([halves - centres, halves + centres], axis: 1),
          Tensor(targets.flatMap(\.distances), shape: [targets.count, 4]))
        box = box + (1 - overlaps).mean()
        for (target, overlap) in zip(targets, overlaps.detached.values()) {
          certainties[target.row] = max(overlap, 0)
        }
        // A single class goes without saying.
        if head.classes > 1 { classes = classes + classLoss(own.sliced(1, 5..<numbers), targets) }
      }
      let wanted = Tensor(certainties, shape: [certainties.count, 1])
      object = object + sigmoidCrossEntropy(rows.sliced(1, 4..<5), targets: wanted) * Self.balance[level]
    }
    return (box, object, classes)
  }

  private func classLoss(_ logits: Tensor, _ targets: [Target]) -> Tensor {
    let count = logits.shape[1]
    var wanted = [Float](repeating: 0, count: logits.count)
    for (row, target) in targets.enumerated() { wanted[row * count + target.label] = 1 }
    return sigmoidCrossEntropy(logits, targets: Tensor(wanted, shape: logits.shape))
  }

  /// Who answers for what on one map: anchors of about an object's size, at the place of its centre and at the nearest ones beside and above
  /// or below that. Where several objects want one anchor, the last of them decides its certainty, in the order of ultralytics.
  ///
  /// - Parameter anchors: sides in places.
  private func targets(
    _ instances: [[Instance]], _ anchors: [(width: Float, height: Float)], map: Shape, stride: Float
  ) -> [Target] {
    let (rows, columns) = (map[2], map[3])
    func isNear(_ a: Float, _ b: Float) -> Bool { max(a / b, b / a) < Self.mostRatio }
    var result: [Target] = []
    for step in Step.allCases {
      for (number, anchor) in anchors.enumerated() {
        for (picture, objects) in instances.enumerated() {
          for instance in objects {
            let box = instance.box
            let (width, height) = (box.width / stride, box.height / stride)
            let (x, y) = ((box.x1 + box.x2) / 2 / stride, (box.y1 + box.y2) / 2 / stride)
            guard isNear(width, anchor.width), isNear(height, anchor.height),
              step.isTaken(x: x, y: y, columns: columns, rows: rows)
            else { continue }
            let column = min(max(Int(x + step.shift.x), 0), columns - 1)
            let row = min(max(Int(y + step.shift.y), 0), rows - 1)
            let (dx, dy) = (x - Float(column), y - Float(row))
            result.append(
              Target(
                row: ((picture * anchors.count + number) * rows + row) * columns + column,
                anchor: number, label: instance.labelIndex,
                distances: [width / 2 - dx, height / 2 - dy, width / 2 + dx, height / 2 + dy]))
          }
        }
      }
    }
    return result
  }

  /// From the place of a centre to one that answers as well.
  private enum Step: CaseIterable {
    case none, left, up, right, down

    /// In places; a centre on the edge of its place stays in it.
    var shift: (x: Float, y: Float) {
      switch self {
      case .none: (0, 0)
      case .left: (-0.5, 0)
      case .up: (0, -0.5)
      case .right: (0.5, 0)
      case .down: (0, 0.5)
      }
    }

    /// Whether the centre, in places, is in that half of its place, and the map has such a neighbour.
    func isTaken(x: Float, y: Float, columns: Int, rows: Int) -> Bool {
      func isFirstHalf(_ centre: Float) -> Bool { centre - centre.rounded(.down) < 0.5 && centre > 1 }
      return switch self {
      case .none: true
      case .left: isFirstHalf(x)
      case .up: isFirstHalf(y)
      case .right: isFirstHalf(Float(columns) - x)
      case .down: isFirstHalf(Float(rows) - y)
      }
    }
  }
}
