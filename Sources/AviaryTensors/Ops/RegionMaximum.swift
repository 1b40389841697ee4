/// The largest value in each bin of regions of a map, and where it stood (Girshick 2015, "Fast R-CNN", arXiv:1504.08083, section 2.1, "RoI
/// pooling"), as torchvision rounds places.
///
/// Inputs: a map N×C×H×W and regions R×5 (the picture's number, x1, y1, x2, y2). Results: R×C×`height`×`width`, and int64 positions in the
/// map's planes, −1 for bins without a place, which are 0. Regions have no gradient.
struct RegionMaximum: Operation {
  /// Bins from above to below.
  let height: Int
  /// Bins from left to right.
  let width: Int
  /// What the regions' coordinates are multiplied by to be those of the map.
  let scale: Float
  var onnxName: String { "MaxRoiPool" }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    let (map, regions) = (inputs[0].shape, inputs[1].shape)
    require(
      map.count == 4 && regions.count == 2 && regions[1] == 5,
      "regions \(regions.shapeText) of a map \(map.shapeText)")
    let result = [regions[0], map[1], height, width]
    return [TensorSpec(result), TensorSpec(result, .int64)]
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    let map = inputs[0].cast(to: .float32)
    let shape = outputs(for: inputs.map(\.spec))[0].shape
    let (plane, bins) = (map.shape[2] * map.shape[3], height * width)
    let regions = inputs[1].values()
    let positions = map.withUnsafeValues { values in
      Tensor(shape, of: Int64.self) { positions in
        for region in 0..<shape[0] {
          let row = Array(regions[5 * region..<5 * region + 5])
          require(
            row.allSatisfy { abs($0) < 1e6 } && (0..<Float(map.shape[0])).contains(row[0]),
            "the region \(row) of \(map.shape[0]) pictures")
          let rows = places(from: row[2], to: row[4], bins: height, extent: map.shape[2])
          let columns = places(from: row[1], to: row[3], bins: width, extent: map.shape[3])
          for channel in 0..<shape[1] {
            let start = (Int(row[0]) * shape[1] + channel) * plane
            for bin in 0..<bins {
              var best = -1
              for y in rows[bin / width] {
                for x in columns[bin % width] {
                  let place = y * map.shape[3] + x
                  if best < 0 || values[start + place] > values[start + best] { best = place }
                }
              }
              positions[(region * shape[1] + channel) * bins + bin] = Int64(best)
            }
          }
        }
      }
    }
    context.save(positions)
    let pictures = pictures(regions)
    let values = map.withUnsafeValues { values in
      positions.withUnsafeValues(of: Int64.self) { positions in
        Tensor(shape) { result in
          for place in positions.indices {
            let (region, channel) = (place / bins / shape[1], place / bins % shape[1])
            let start = (pictures[region] * shape[1] + channel) * plane
            result[place] = positions[place] < 0 ? 0 : values[start + Int(positions[place])]
          }
        }
      }
    }
    return [values, positions]
  }

  /// The places of each bin along one axis; bins may overlap.
  private func places(from start: Float, to end: Float, bins: Int, extent: Int) -> [Range<Int>] {
    let first = Int((start * scale).rounded(.toNearestOrAwayFromZero))
    let last = Int((end * scale).rounded(.toNearestOrAwayFromZero))
    let size = Float(max(last - first + 1, 1)) / Float(bins)
    return (0..<bins).map { bin in
      func clipped(_ place: Float) -> Int { min(max(Int(place) + first, 0), extent) }
      let lower = clipped((Float(bin) * size).rounded(.down))
      return lower..<max(clipped((Float(bin + 1) * size).rounded(.up)), lower)
    }
  }

  private func pictures(_ regions: [Float]) -> [Int] {
    stride(from: 0, to: regions.count, by: 5).map { Int(regions[$0]) }
  }

  func gradient(_ context: GradientContext) -> [Tensor?] {
    let shape = context.outputSpecs[0].shape
    let map = context.inputSpecs[0].shape
    let (plane, bins) = (map[2] * map[3], height * width)
    let pictures = pictures(context.input(1).values())
    let upstream = context.upstream.cast(to: .float32)
    let result = upstream.withUnsafeValues { upstream in
      context.saved[0].withUnsafeValues(of: Int64.self) { positions in
        Tensor(map) { result in
          result.update(repeating: 0)
          for place in positions.indices where positions[place] >= 0 {
            let (region, channel) = (place / bins / shape[1], place / bins % shape[1])
            result[(pictures[region] * shape[1] + channel) * plane + Int(positions[place])] += upstream[place]
          }
        }
      }
    }
    return [result, nil]
  }
}

/// RoI pooling: the largest value in each of `size` bins of each region of a map.
///
/// - Parameters:
///   - map: N×C×H×W.
///   - regions: float32 R×5: the picture's number in the batch, and x1, y1, x2, y2.
///   - size: bins from above to below, and from left to right.
///   - scale: what makes the regions' coordinates those of the map: 1/16 for a map of stride 16.
/// - Returns: R×C×size; 0 for bins that lie beside the map.
public func regionsMaxPooled(
  _ map: Tensor, regions: Tensor, size: (height: Int, width: Int), scale: Float
) -> Tensor {
  require(size.height > 0 && size.width > 0, "regions of \(size.height)×\(size.width) bins")
  return RegionMaximum(height: size.height, width: size.width, scale: scale).apply([map, regions])[0]
}
