import AviaryLayers
import AviaryTensors

/// The last layer of a detector: what a map means as boxes (`yolo_layer.c`, `region_layer.c`, `detection_layer.c`).
final class DarknetHead: DarknetLayer {
  /// Which of darknet's ways of reading the map.
  enum Kind: Hashable {
    /// YOLO v3 and v4: classes by themselves. With `newCoordinates` the map went through a sigmoid before, and widths are squared.
    case yolo(scaleXY: Float, newCoordinates: Bool)
    /// YOLO v2: anchors in cells, classes that share a softmax, or are by themselves.
    case region(usesSoftmax: Bool)
    /// YOLO v1: a vector of classes, certainties and boxes of a grid of `side`×`side` cells.
    case grid(side: Int, squaresSides: Bool, usesSoftmax: Bool)
  }

  /// How boxes that find the same object are told (AlexeyAB's `nms_kind`).
  enum Suppression: Hashable {
    case iou
    /// Intersection over union, less (distance² / diagonal²)^beta.
    case distance(beta: Float)
  }

  let kind: Kind
  let classes: Int
  /// Boxes of a cell.
  let boxes: Int
  /// Width and height of each anchor, in pixels of the network's picture for YOLO v3, in cells for v2.
  let anchors: [Float]
  /// Width and height of the network's picture.
  let picture: (width: Int, height: Int)
  let suppression: Suppression
  /// How it learns.
  let learning: DarknetLearning
  let shape: DarknetShape
  let sources: [Int]

  init(
    _ kind: Kind, classes: Int, boxes: Int, anchors: [Float], picture: (width: Int, height: Int),
    _ suppression: Suppression, _ learning: DarknetLearning, _ shape: DarknetShape, source: Int
  ) {
    self.kind = kind
    self.classes = classes
    self.boxes = boxes
    self.anchors = anchors
    self.picture = picture
    self.suppression = suppression
    self.learning = learning
    self.shape = shape
    sources = [source]
  }

  /// The map as it is.
  func callAsFunction(_ inputs: [Tensor]) -> Tensor { inputs[0] }

  /// Rows of ``decoded(_:)``.
  var rowCount: Int {
    if case .grid(let side, _, _) = kind { return side * side * boxes }
    return shape.height * shape.width * boxes
  }

  /// Boxes N×rows×(5 + classes), a cell after another and its boxes one after another: centre x, centre y, width and height in shares of the
  /// network's picture, the certainty that there is an object, and of each class as long as there is one.
  func decoded(_ map: Tensor) -> Tensor {
    switch kind {
    case .grid(let side, let squaresSides, let usesSoftmax):
      return decodedGrid(map, side: side, squaresSides: squaresSides, usesSoftmax: usesSoftmax)
    case .yolo(let scale, let newCoordinates):
      let cells = cells(map)
      func squashed(_ range: Range<Int>) -> Tensor {
        newCoordinates ? cells.sliced(3, range) : cells.sliced(3, range).sigmoid()
      }
      let centres = squashed(0..<2).affine(scale: scale, shift: (1 - scale) / 2)
      let sides = cells.sliced(3, 2..<4)
      let factors = newCoordinates ? sides.square() * 4 : sides.exp()
      return joined(
        centres, factors, [Float(picture.width), Float(picture.height)], [squashed(4..<5 + classes)])
    case .region(let usesSoftmax):
      let cells = cells(map)
      let scores = cells.sliced(3, 5..<5 + classes)
      return joined(
        cells.sliced(3, 0..<2).sigmoid(), cells.sliced(3, 2..<4).exp(),
        [Float(shape.width), Float(shape.height)],
        [cells.sliced(3, 4..<5).sigmoid(), usesSoftmax ? scores.softmax() : scores.sigmoid()])
    }
  }

  /// N×cells×boxes×(5 + classes) of a map N×(boxes·(5 + classes))×H×W.
  func cells(_ map: Tensor) -> Tensor {
    map.reshaped([map.shape[0], boxes, 5 + classes, shape.height * shape.width]).permuted([0, 3, 1, 2])
  }

  private func joined(
    _ centres: Tensor, _ factors: Tensor, _ unit: [Float], _ scores: [Tensor]
  ) -> Tensor {
    let corners = (0..<shape.height).flatMap { y in
      (0..<shape.width).flatMap { x in [Float(x), Float(y)] }
    }
    let grid = Tensor(corners, shape: [1, shape.height * shape.width, 1, 2])
    let cells = Tensor([Float(shape.width), Float(shape.height)], shape: [1, 1, 1, 2])
    let sizes = Tensor(
      anchors.enumerated().map { $0.element / unit[$0.offset % 2] }, shape: [1, 1, boxes, 2])
    let rows = concatenate([(centres + grid) / cells, factors * sizes] + scores, axis: 3)
    return rows.reshaped([rows.shape[0], rowCount, 5 + classes])
  }

  private func decodedGrid(
    _ map: Tensor, side: Int, squaresSides: Bool, usesSoftmax: Bool
  ) -> Tensor {
    let (batch, cells) = (map.shape[0], side * side)
    let parts = gridParts(map, cells: cells)
    let given = parts.scores.reshaped([batch, cells, 1, classes])
    let scores = (usesSoftmax ? given.softmax() : given).expanded(to: [batch, cells, boxes, classes])
    let places = parts.places.reshaped([batch, cells, boxes, 4])
    let corners = (0..<cells).flatMap { [Float($0 % side), Float($0 / side)] }
    let centres =
      (places.sliced(3, 0..<2) + Tensor(corners, shape: [1, cells, 1, 2])) * (1 / Float(side))
    let sides = places.sliced(3, 2..<4)
    let rows = concatenate(
      [
        centres, squaresSides ? sides.square() : sides, parts.certainties.reshaped([batch, cells, boxes, 1]),
        scores,
      ], axis: 3)
    return rows.reshaped([batch, rowCount, 5 + classes])
  }

  /// Of the cells of all pictures the classes, and of their boxes the certainties and the four numbers, a row each.
  func gridParts(_ map: Tensor, cells: Int) -> (scores: Tensor, certainties: Tensor, places: Tensor) {
    let parts = map.flattened(from: 1).split(1, sizes: [cells * classes, cells * boxes, cells * boxes * 4])
    return (parts[0].reshaped([-1, classes]), parts[1].reshaped([-1, 1]), parts[2].reshaped([-1, 4]))
  }
}
