/// Means over the bins of regions, of samples that are interpolated linearly between the places of a map (He, Gkioxari, Dollár & Girshick
/// 2017, "Mask R-CNN", arXiv:1703.06870, section 3, "RoIAlign"), as torchvision counts places.
///
/// Inputs: maps N×C×H×W of any sizes, regions R×5 (the picture's number, x1, y1, x2, y2), and for each the int64 number of the map that it is
/// taken from, R; below 0 for none, which gives zeros. Result: R×C×`height`×`width`. Regions have no gradient.
struct RegionAlign: Operation {
  /// Bins from above to below.
  let height: Int
  /// Bins from left to right.
  let width: Int
  /// What the regions' coordinates are multiplied by to be those of each map.
  let scales: [Float]
  /// Samples of a bin in each direction; nil for as many as it has places.
  let samples: Int?
  /// Whether coordinates are of the centres of places, and regions may be smaller than one.
  let isAligned: Bool
  var onnxName: String { "RoiAlign" }

  private func mapCount(_ inputs: Int) -> Int { inputs - 2 }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    let (maps, regions, levels) = (inputs.dropLast(2), inputs[inputs.count - 2], inputs[inputs.count - 1])
    require(
      maps.count == scales.count && !maps.isEmpty
        && maps.allSatisfy { $0.shape.count == 4 && $0.shape.prefix(2) == maps[0].shape.prefix(2) }
        && regions.shape.count == 2 && regions.shape[1] == 5
        && levels == TensorSpec([regions.shape[0]], .int64),
      "regions \(regions.shape.shapeText) of maps \(maps.map(\.shape.shapeText)), levels \(levels.shape.shapeText) \(levels.dtype)"
    )
    return [TensorSpec([regions.shape[0], maps[0].shape[1], height, width])]
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    let shape = outputs(for: inputs.map(\.spec))[0].shape
    let maps = inputs.dropLast(2).map { $0.cast(to: .float32) }
    let grids = SampleGrids(self, inputs)
    let (channels, bins) = (shape[1], height * width)
    let result = Tensor(shape) { result in
      withValues(of: maps) { values in
        Parallel.forEachRange(shape[0]) { regions in
          for region in regions {
            let start = region * channels * bins
            guard let grid = grids.grid(region) else {
              result[start..<start + channels * bins].update(repeating: 0)
              continue
            }
            let (plane, map) = (grids.planes[grid.level], values[grid.level])
            for channel in 0..<channels {
              let source = map.baseAddress! + (grid.picture * channels + channel) * plane
              for bin in 0..<bins {
                var sum: Float = 0
                for tap in bin * grid.tapsPerBin..<(bin + 1) * grid.tapsPerBin {
                  sum += grid.weights[tap] * source[Int(grid.places[tap])]
                }
                result[start + channel * bins + bin] = sum / grid.divisor
              }
            }
          }
        }
      }
    }
    return [result]
  }

  func gradient(_ context: GradientContext) -> [Tensor?] {
    let count = mapCount(context.inputSpecs.count)
    let inputs = (0..<context.inputSpecs.count).map { context.input($0) }
    let grids = SampleGrids(self, inputs)
    let upstream = context.upstream.cast(to: .float32)
    let (channels, bins) = (upstream.shape[1], height * width)
    return (0..<count).map { level -> Tensor? in
      guard context.needs(level) else { return nil }
      let plane = grids.planes[level]
      return upstream.withUnsafeValues { upstream in
        Tensor(context.inputSpecs[level].shape) { result in
          result.update(repeating: 0)
          // Regions overlap, channels do not.
          Parallel.forEachRange(channels) { range in
            for region in 0..<grids.count {
              guard let grid = grids.grid(region), grid.level == level else { continue }
              for channel in range {
                let target = (grid.picture * channels + channel) * plane
                for bin in 0..<bins {
                  let share = upstream[(region * channels + channel) * bins + bin] / grid.divisor
                  for tap in bin * grid.tapsPerBin..<(bin + 1) * grid.tapsPerBin {
                    result[target + Int(grid.places[tap])] += share * grid.weights[tap]
                  }
                }
              }
            }
          }
        }
      }
    } + [nil, nil]
  }
}

/// Where the samples of regions lie.
private struct SampleGrids {
  /// The places that the samples of one region are made of, bin by bin.
  struct Grid {
    let level: Int
    let picture: Int
    /// Samples of a bin.
    let divisor: Float
    /// Four of each sample of a bin.
    let tapsPerBin: Int
    /// In the map's plane.
    var places: [Int32] = []
    var weights: [Float] = []
  }

  private let operation: RegionAlign
  private let regions: [Float]
  private let levels: [Int64]
  private let shapes: [Shape]
  /// Places of each map.
  let planes: [Int]

  init(_ operation: RegionAlign, _ inputs: [Tensor]) {
    self.operation = operation
    regions = inputs[inputs.count - 2].values()
    levels = inputs[inputs.count - 1].values(of: Int64.self)
    shapes = inputs.dropLast(2).map(\.shape)
    planes = shapes.map { $0[2] * $0[3] }
    for region in levels.indices where levels[region] >= 0 {
      let row = regions[5 * region..<5 * region + 5]
      require(
        levels[region] < Int64(shapes.count) && row.allSatisfy { abs($0) < 1e6 }
          && (0..<Float(shapes[0][0])).contains(row.first!),
        "the region \(Array(row)) of map \(levels[region]), of \(shapes.count) with \(shapes[0][0]) pictures")
    }
  }

  var count: Int { levels.count }

  /// Nil for a region of no map.
  func grid(_ region: Int) -> Grid? {
    guard levels[region] >= 0 else { return nil }
    let level = Int(levels[region])
    let (scale, offset): (Float, Float) = (operation.scales[level], operation.isAligned ? 0.5 : 0)
    let row = Array(regions[5 * region..<5 * region + 5])
    let (x1, y1) = (row[1] * scale - offset, row[2] * scale - offset)
    var (width, height) = (row[3] * scale - offset - x1, row[4] * scale - offset - y1)
    if !operation.isAligned { (width, height) = (max(width, 1), max(height, 1)) }
    let columns = Axis(x1, width, bins: operation.width, operation.samples, extent: shapes[level][3])
    let rows = Axis(y1, height, bins: operation.height, operation.samples, extent: shapes[level][2])
    let perBin = rows.count * columns.count
    var grid = Grid(
      level: level, picture: Int(row[0]), divisor: Float(max(perBin, 1)), tapsPerBin: 4 * perBin)
    let taps = 4 * perBin * operation.height * operation.width
    grid.places.reserveCapacity(taps)
    grid.weights.reserveCapacity(taps)
    let stride = Int32(shapes[level][3])
    for binRow in 0..<operation.height {
      for binColumn in 0..<operation.width {
        for y in rows.samples[binRow * rows.count..<(binRow + 1) * rows.count] {
          for x in columns.samples[binColumn * columns.count..<(binColumn + 1) * columns.count] {
            // Beside the map a sample is 0, and counts.
            let isInside: Float = y.isInside && x.isInside ? 1 : 0
            grid.places += [
              y.low * stride + x.low, y.low * stride + x.high, y.high * stride + x.low,
              y.high * stride + x.high,
            ]
            grid.weights += [
              (1 - y.share) * (1 - x.share) * isInside, (1 - y.share) * x.share * isInside,
              y.share * (1 - x.share) * isInside, y.share * x.share * isInside,
            ]
          }
        }
      }
    }
    return grid
  }

  /// The samples along one axis, bin by bin.
  private struct Axis {
    struct Sample {
      var low: Int32 = 0
      var high: Int32 = 0
      /// What the higher place counts.
      var share: Float = 0
      var isInside = false
    }

    /// Of a bin.
    let count: Int
    let samples: [Sample]

    init(_ start: Float, _ length: Float, bins: Int, _ samples: Int?, extent: Int) {
      let size = length / Float(bins)
      let count = samples ?? max(Int(size.rounded(.up)), 0)
      self.count = count
      self.samples = (0..<bins * count).map { index in
        let (bin, sample) = (Float(index / count), Float(index % count))
        var place = start + bin * size + (sample + 0.5) * size / Float(count)
        guard place >= -1, place <= Float(extent) else { return Sample() }
        place = max(place, 0)
        let low = Int32(place)
        guard low < extent - 1 else {
          return Sample(low: Int32(extent - 1), high: Int32(extent - 1), share: 0, isInside: true)
        }
        return Sample(low: low, high: low + 1, share: place - Float(low), isInside: true)
      }
    }
  }
}

/// `body` with the row-major values of several tensors.
private func withValues<Result>(
  of tensors: [Tensor], _ body: ([UnsafeBufferPointer<Float>]) -> Result
) -> Result {
  func open(_ rest: ArraySlice<Tensor>, _ known: [UnsafeBufferPointer<Float>]) -> Result {
    guard let first = rest.first else { return body(known) }
    return first.withUnsafeValues { open(rest.dropFirst(), known + [$0]) }
  }
  return open(tensors[...], [])
}

/// RoIAlign: a grid of `size` bins from each region of a map, each the mean of `samples`² values that are interpolated linearly.
///
/// - Parameters:
///   - maps: N×C×H×W each, of any sizes.
///   - regions: float32 R×5: the picture's number in the batch, and x1, y1, x2, y2.
///   - levels: int64 R, which of the maps each region is taken from; below 0 gives zeros. Not needed for a single map.
///   - size: bins from above to below, and from left to right.
///   - scales: what makes the regions' coordinates those of each map: 1/16 for a map of stride 16.
///   - samples: in each direction of a bin; nil for one per place of the map.
///   - isAligned: whether coordinates are shifted by half a place, so that the centre of the first is at 0. Without it, regions are at least
///     one place large.
/// - Returns: R×C×size.
public func regionsAligned(
  _ maps: [Tensor], regions: Tensor, levels: Tensor? = nil, size: (height: Int, width: Int),
  scales: [Float], samples: Int? = nil, isAligned: Bool = false
) -> Tensor {
  require(
    size.height > 0 && size.width > 0 && samples ?? 1 > 0 && (levels != nil || maps.count == 1),
    "regions of \(size.height)×\(size.width) bins with \(samples ?? 1) samples, of \(maps.count) maps")
  let levels = levels ?? Tensor(repeating: Int64(0), shape: [regions.shape[0]])
  let operation = RegionAlign(
    height: size.height, width: size.width, scales: scales, samples: samples, isAligned: isAligned)
  return operation.apply(maps + [regions, levels])[0]
}
