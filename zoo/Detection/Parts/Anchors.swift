import AviaryTensors
import AviaryVision

/// The boxes at each place of maps that a detector's answers are differences from (Ren, He, Girshick & Sun 2015, arXiv:1506.01497, section
/// 3.1.1), as torchvision rounds them.
struct Anchors: Sendable, Hashable {
  /// Of each map, finest first: square roots of areas in pixels.
  let sizes: [[Float]]
  /// Heights over widths.
  let ratios: [Float]

  /// At a place of each map.
  var countPerPlace: Int { sizes[0].count * ratios.count }

  /// The boxes around the point (0, 0): ratio by ratio, in it size by size.
  func cell(_ level: Int) -> [Box] {
    ratios.flatMap { ratio in
      let tall = ratio.squareRoot()
      let flat = 1 / tall
      return sizes[level].map { size in
        let (x, y) = (
          (flat * size / 2).rounded(.toNearestOrEven), (tall * size / 2).rounded(.toNearestOrEven)
        )
        return Box(x1: -x, y1: -y, x2: x, y2: y)
      }
    }
  }

  /// The boxes of one map.
  func grid(_ level: Int, map: Shape, picture: Shape) -> AnchorGrid {
    AnchorGrid(
      cell: cell(level), rows: map[2], columns: map[3], strideY: Float(picture[2] / map[2]),
      strideX: Float(picture[3] / map[3]))
  }

  /// The boxes of each map.
  func boxes(_ maps: [Shape], picture: Shape) -> [[Box]] {
    maps.enumerated().map { level, map in
      let grid = grid(level, map: map, picture: picture)
      return (0..<grid.count).map { grid[$0] }
    }
  }
}

/// The anchors of one map, place by place in rows, in it one after another.
struct AnchorGrid: Sendable, Hashable {
  let cell: [Box]
  let rows: Int
  let columns: Int
  let strideY: Float
  let strideX: Float

  var count: Int { rows * columns * cell.count }

  subscript(index: Int) -> Box {
    let (place, anchor) = index.quotientAndRemainder(dividingBy: cell.count)
    let (x, y) = (Float(place % columns) * strideX, Float(place / columns) * strideY)
    let box = cell[anchor]
    return Box(x1: box.x1 + x, y1: box.y1 + y, x2: box.x2 + x, y2: box.y2 + y)
  }
}

extension Tensor {
  /// Answers N×A·`each`×h×w for the A anchors at each place as N×h·w·A×`each`, in the order of ``AnchorGrid``.
  func placeByPlace(each: Int) -> Tensor {
    let (height, width) = (shape[2], shape[3])
    return reshaped([shape[0], shape[1] / each, each, height, width]).permuted([0, 3, 4, 1, 2])
      .reshaped([shape[0], -1, each])
  }
}
