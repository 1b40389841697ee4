import AviaryLayers
import AviaryTensors

/// A convolution without a bias, batch normalization and SiLU: the brick of which YOLO v5 and v8 are made (ultralytics' `Conv`). Where the
/// normalization is fused, the convolution has its scales and shifts.
final class YOLOConvolution: Layer {
  let conv: Conv2d
  let bn: BatchNorm?

  /// The padding keeps the size of a map, but for the stride, unless it is given.
  init(
    _ inputs: Int, _ outputs: Int, kernel: Int = 1, stride: Int = 1, padding: Int? = nil, isFused: Bool
  ) {
    conv = Conv2d(
      inputs, outputs, kernel: Extents(kernel), stride: Extents(stride),
      padding: .symmetric(Extents(padding ?? kernel / 2)), bias: isFused)
    bn = isFused ? nil : BatchNorm(outputs, epsilon: 1e-3, momentum: 0.03)
  }

  func callAsFunction(_ input: Tensor) -> Tensor {
    let result = conv(input)
    return Activation.silu(bn?(result) ?? result)
  }
}

/// Two convolutions, to whose result the input is added.
final class YOLOBottleneck: Layer {
  let cv1: YOLOConvolution
  let cv2: YOLOConvolution
  private let isResidual: Bool

  /// - Parameter kernel: of the first convolution; the second one has 3×3.
  init(_ channels: Int, kernel: Int, isResidual: Bool, isFused: Bool) {
    cv1 = YOLOConvolution(channels, channels, kernel: kernel, isFused: isFused)
    cv2 = YOLOConvolution(channels, channels, kernel: 3, isFused: isFused)
    self.isResidual = isResidual
  }

  func callAsFunction(_ input: Tensor) -> Tensor {
    let result = cv2(cv1(input))
    return isResidual ? input + result : result
  }
}

/// A cross-stage partial block with three convolutions (YOLO v5; after Wang et al. 2020, arXiv:1911.11929): half of the channels go through the
/// bottlenecks, the other half past them.
final class C3: Layer {
  let cv1: YOLOConvolution
  let cv2: YOLOConvolution
  let cv3: YOLOConvolution
  let m: [YOLOBottleneck]

  init(_ inputs: Int, _ outputs: Int, count: Int, isResidual: Bool, isFused: Bool) {
    let hidden = outputs / 2
    cv1 = YOLOConvolution(inputs, hidden, isFused: isFused)
    cv2 = YOLOConvolution(inputs, hidden, isFused: isFused)
    cv3 = YOLOConvolution(2 * hidden, outputs, isFused: isFused)
    m = (0..<count).map { _ in YOLOBottleneck(hidden, kernel: 1, isResidual: isResidual, isFused: isFused) }
  }

  func callAsFunction(_ input: Tensor) -> Tensor {
    cv3(concatenate([m.reduce(cv1(input)) { $1($0) }, cv2(input)], axis: 1))
  }
}

/// The same with two convolutions, which keeps what each bottleneck makes (YOLO v8).
final class C2f: Layer {
  let cv1: YOLOConvolution
  let cv2: YOLOConvolution
  let m: [YOLOBottleneck]

  init(_ inputs: Int, _ outputs: Int, count: Int, isResidual: Bool, isFused: Bool) {
    let hidden = outputs / 2
    cv1 = YOLOConvolution(inputs, 2 * hidden, isFused: isFused)
    cv2 = YOLOConvolution((2 + count) * hidden, outputs, isFused: isFused)
    m = (0..<count).map { _ in YOLOBottleneck(hidden, kernel: 3, isResidual: isResidual, isFused: isFused) }
  }

  func callAsFunction(_ input: Tensor) -> Tensor {
    var parts = cv1(input).split(1, into: 2)
    for bottleneck in m { parts.append(bottleneck(parts[parts.count - 1])) }
    return cv2(concatenate(parts, axis: 1))
  }
}

/// Maxima over windows of 5, 9 and 13 places beside the map itself, made one from another (spatial pyramid pooling, He et al. 2014,
/// arXiv:1406.4729).
final class SPPF: Layer {
  let cv1: YOLOConvolution
  let cv2: YOLOConvolution

  init(_ inputs: Int, _ outputs: Int, isFused: Bool) {
    cv1 = YOLOConvolution(inputs, inputs / 2, isFused: isFused)
    cv2 = YOLOConvolution(inputs / 2 * 4, outputs, isFused: isFused)
  }

  func callAsFunction(_ input: Tensor) -> Tensor {
    let window = PoolingGeometry(kernel: [5, 5], stride: [1, 1], padding: Padding([2, 2]))
    var maps = [cv1(input)]
    for _ in 0..<3 { maps.append(maps[maps.count - 1].maxPooled(window)) }
    return cv2(concatenate(maps, axis: 1))
  }
}

/// Every place four times.
final class YOLOUpsampling: Layer {
  func callAsFunction(_ input: Tensor) -> Tensor {
    input.interpolated(to: input.shape[2...].map { 2 * $0 }, .nearest)
  }
}
