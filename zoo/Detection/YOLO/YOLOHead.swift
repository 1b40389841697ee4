import AviaryLayers
import AviaryTensors
import Foundation

/// The end of a YOLO network.
protocol YOLOHead: Module {
  /// What each place says, unread, for the three feature maps.
  func maps(_ features: [Tensor]) -> [Tensor]
  /// The predictions of ``YOLO`` for those maps.
  func decoded(_ maps: [Tensor]) -> Tensor
}

/// YOLO v5's head: for each place three boxes that grow out of anchors, each with its certainty and classes.
final class AnchorHead: YOLOHead {
  let m: [Conv2d]
  /// 3×3×2: width and height of each anchor, in places of its map.
  let anchors: Buffer
  let classes: Int

  /// Found among COCO's boxes; widths and heights in pixels.
  private static let sizes: [[Float]] = [
    [10, 13, 16, 30, 33, 23], [30, 61, 62, 45, 59, 119], [116, 90, 156, 198, 373, 326],
  ]
  static let count = 3

  init(_ channels: [Int], classes: Int) {
    m = channels.map { Conv2d($0, Self.count * (5 + classes), kernel: 1) }
    anchors = Buffer([3, Self.count, 2], .zeros)
    anchors.value = Tensor(
      zip(Self.sizes, YOLO.strides).flatMap { sizes, stride in sizes.map { $0 / Float(stride) } },
      shape: [3, Self.count, 2])
    self.classes = classes
  }

  func maps(_ features: [Tensor]) -> [Tensor] { zip(m, features).map { $0($1) } }

  /// N×boxes×(5 + classes), a map after another, an anchor after another, a place after another.
  func decoded(_ maps: [Tensor]) -> Tensor {
    let rows = maps.enumerated().map { level, map in
      let (height, width, stride) = (map.shape[2], map.shape[3], Float(YOLO.strides[level]))
      let places = map.reshaped([map.shape[0], Self.count, 5 + classes, height * width])
        .transposed().sigmoid()
      let corners = YOLO.places(height, width).map { $0 - 1 }
      let grid = Tensor(corners, shape: [1, 1, height * width, 2])
      let centres = (places.sliced(3, 0..<2) * 2 + grid) * stride
      let sizes = (anchors.value.sliced(0, level..<level + 1) * stride).reshaped([1, Self.count, 1, 2])
      let sides = (places.sliced(3, 2..<4) * 2).square() * sizes
      return concatenate([centres, sides, places.sliced(3, 4..<5 + classes)], axis: 3)
        .reshaped([map.shape[0], Self.count * height * width, 5 + classes])
    }
    return concatenate(rows, axis: 1)
  }
}

/// YOLO v8's head: for each place the distances to the four edges of the object around it, each as a distribution over 0 to 15 places (Li et
/// al. 2020, "Generalized Focal Loss", arXiv:2006.04388), and the classes.
final class DistanceHead: YOLOHead {
  let cv2: [[any Layer]]
  let cv3: [[any Layer]]
  let dfl = Expectation()
  private let classes: Int

  /// Distances that a distribution is over.
  static let bins = 16

  init(_ channels: [Int], classes: Int, isFused: Bool) {
    let boxWidth = max(16, channels[0] / 4, 4 * Self.bins)
    let classWidth = max(channels[0], min(classes, 100))
    func branch(_ inputs: Int, _ hidden: Int, _ outputs: Int, bias: Float) -> [any Layer] {
      let last = Conv2d(hidden, outputs, kernel: 1)
      last.bias?.value = Tensor(repeating: bias, shape: [outputs])
      return [
        YOLOConvolution(inputs, hidden, kernel: 3, isFused: isFused),
        YOLOConvolution(hidden, hidden, kernel: 3, isFused: isFused), last,
      ]
    }
    // Before it has learned, the network expects five objects in a picture of 640×640 pixels.
    cv2 = channels.map { branch($0, boxWidth, 4 * Self.bins, bias: 1) }
    cv3 = zip(channels, YOLO.strides).map { inputs, stride in
      let places = Float(640 / stride * (640 / stride))
      return branch(inputs, classWidth, classes, bias: logf(5 / Float(classes) / places))
    }
    self.classes = classes
  }

  /// The mean of a distribution, which ultralytics writes as a convolution with the weights 0 to 15.
  final class Expectation: Module {
    let conv = Weights()

    final class Weights: Module {
      let weight = Buffer(
        fixed: Tensor((0..<DistanceHead.bins).map { Float($0) }, shape: [1, DistanceHead.bins, 1, 1]))
    }
  }

  /// For each stride a map of distances N×64×H×W and one of classes N×classes×H×W.
  func maps(_ features: [Tensor]) -> [Tensor] {
    features.enumerated().flatMap { level, map in
      [cv2[level], cv3[level]].map { $0.reduce(map) { $1($0) } }
    }
  }

  /// N×(4 + classes)×boxes, a map after another, a place after another.
  func decoded(_ maps: [Tensor]) -> Tensor {
    let (logits, scores) = parts(maps)
    var (middles, steps): ([Float], [Float]) = ([], [])
    for (level, stride) in YOLO.strides.enumerated() {
      let (height, width) = (maps[2 * level].shape[2], maps[2 * level].shape[3])
      middles += YOLO.places(height, width)
      steps += [Float](repeating: Float(stride), count: 2 * height * width)
    }
    let (centres, strides) = (
      Tensor(middles, shape: [1, 1, middles.count / 2, 2]), Tensor(steps, shape: [1, 1, steps.count / 2, 2])
    )
    // N×1×places×4, and the constants of one picture for x and y alike.
    let distances = distances(logits).transposed().expandedAxis(at: 1)
    let (before, behind) = (distances.sliced(3, 0..<2), distances.sliced(3, 2..<4))
    let boxes = concatenate(
      [((behind - before) * 0.5 + centres) * strides, (before + behind) * strides], axis: 3)
    return concatenate([boxes.squeezed(1).transposed(), scores.sigmoid()], axis: 1)
  }

  /// All places of all maps: logits of the distances N×64×boxes, and of the classes N×classes×boxes.
  func parts(_ maps: [Tensor]) -> (distances: Tensor, classes: Tensor) {
    func joined(_ first: Int) -> Tensor {
      concatenate(stride(from: first, to: maps.count, by: 2).map { maps[$0].flattened(from: 2) }, axis: 2)
    }
    return (joined(0), joined(1))
  }

  /// The middles of the places and the strides, of the maps of this head.
  func grid(_ maps: [Tensor]) -> (centres: Tensor, strides: Tensor) {
    YOLO.grid(stride(from: 0, to: maps.count, by: 2).map { maps[$0] })
  }

  /// Distances to the left, upper, right and lower edge, N×4×places in places: the means of their distributions.
  private func distances(_ logits: Tensor) -> Tensor {
    let (batch, places) = (logits.shape[0], logits.shape[2])
    let shares = logits.reshaped([batch, 4, Self.bins, places]).softmax(2)
    let means = convolution(
      shares.permuted([0, 2, 1, 3]), dfl.conv.weight.value,
      ConvolutionGeometry(stride: [1, 1], padding: .none(2)))  // N×1×4×places
    return means.reshaped([batch, 4, places])
  }

  /// Boxes N×4×places as x1, y1, x2, y2 in pixels of the network's picture.
  func corners(_ logits: Tensor, _ grid: (centres: Tensor, strides: Tensor)) -> Tensor {
    let distances = distances(logits)
    let (before, behind) = (distances.sliced(1, 0..<2), distances.sliced(1, 2..<4))
    return concatenate([grid.centres - before, grid.centres + behind], axis: 1) * grid.strides
  }
}

extension YOLO {
  /// The middles of the places of a map, row by row: x and y in places.
  static func places(_ height: Int, _ width: Int) -> [Float] {
    (0..<height).flatMap { y in (0..<width).flatMap { x in [Float(x) + 0.5, Float(y) + 0.5] } }
  }

  /// The middles of all places of all maps, 1×2×places in places of their map, and the pixels from one to the next, 1×1×places.
  static func grid(_ maps: [Tensor]) -> (centres: Tensor, strides: Tensor) {
    var (centres, strides): ([Float], [Float]) = ([], [])
    for (map, stride) in zip(maps, Self.strides) {
      centres += places(map.shape[2], map.shape[3])
      strides += Array(repeating: Float(stride), count: map.shape[2] * map.shape[3])
    }
    let count = strides.count
    let xy = (0..<2).flatMap { axis in (0..<count).map { centres[2 * $0 + axis] } }
    return (Tensor(xy, shape: [1, 2, count]), Tensor(strides, shape: [1, 1, count]))
  }
}
