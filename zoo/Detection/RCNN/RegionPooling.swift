import AviaryTensors
import AviaryVision
import Foundation

/// Which level of a pyramid each region is taken from, by its size (Lin et al. 2017, arXiv:1612.03144, equation 1), and by which scale.
///
/// As torchvision it takes a level's scale for the power of 2 that is nearest to the ratio of its height and that of the picture without its
/// padding.
struct RegionPooling: Sendable, Hashable {
  /// Exponents k of scales 2⁻ᵏ.
  let exponents: [Int]

  /// For levels, finest first, of a picture.
  init(_ levels: [Tensor], frame: Frame) {
    exponents = levels.map { level in
      -Int(log2(Float(Double(level.shape[2]) / Double(frame.height))).rounded(.toNearestOrEven))
    }
  }

  var scales: [Float] { exponents.map { Float(pow(2, -Double($0))) } }

  /// The level of a box.
  func level(_ box: Box) -> Int {
    let (least, most) = (Float(exponents.first!), Float(exponents.last!))
    let size = (box.width * box.height).squareRoot()
    let level = (4 + log2(size / 224) + 1e-6).rounded(.down)
    return Int(min(max(level, least), most) - least)
  }

  /// `size`×`size` bins of two samples per direction, (N·P)×C×`size`×`size`, for boxes N×P×4; zeros for those that are empty.
  func callAsFunction(_ levels: [Tensor], boxes: Tensor, size: Int) -> Tensor {
    let places = RegionPlaces(pooling: self).apply([boxes.detached])
    return regionsAligned(
      levels, regions: places[0], levels: places[1], size: (size, size), scales: scales, samples: 2)
  }
}

/// Boxes N×P×4 as regions (N·P)×5 with the numbers of their pictures, and the int64 levels that they are taken from, −1 for empty ones.
struct RegionPlaces: BoxSelection {
  let pooling: RegionPooling
  var onnxName: String { "RegionLevels" }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    let count = inputs[0].shape[0] * inputs[0].shape[1]
    return [TensorSpec([count, 5]), TensorSpec([count], .int64)]
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    let (values, perPicture) = (inputs[0].values(), inputs[0].shape[1])
    var (regions, levels): ([Float], [Int64]) = ([], [])
    for index in 0..<values.count / 4 {
      let box = Box(values, at: index)
      let isEmpty = !(box.width > 0 && box.height > 0)
      regions += isEmpty ? [0, 0, 0, 0, 0] : [Float(index / perPicture), box.x1, box.y1, box.x2, box.y2]
      levels.append(isEmpty ? -1 : Int64(pooling.level(box)))
    }
    return [Tensor(regions, shape: [levels.count, 5]), Tensor(levels)]
  }
}

extension Box {
  /// The box in row `index` of a list of edges, four to a box.
  init(_ edges: [Float], at index: Int) {
    self.init(
      x1: edges[4 * index], y1: edges[4 * index + 1], x2: edges[4 * index + 2], y2: edges[4 * index + 3])
  }
}
