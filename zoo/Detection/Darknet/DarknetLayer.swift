import AviaryLayers
import AviaryTensors

/// C×H×W of what a layer gives; a vector is C×1×1.
struct DarknetShape: Sendable, Hashable {
  var channels: Int
  var height: Int
  var width: Int

  /// All elements. Extents are small enough that the product is a number.
  var count: Int { channels * height * width }
  var text: String { "\(channels)×\(height)×\(width)" }
  func of(batch: Int) -> Shape { [batch, channels, height, width] }
}

/// What one section of a `.cfg` computes.
protocol DarknetLayer: Module {
  /// C×H×W of the result.
  var shape: DarknetShape { get }
  /// The layers whose results it reads, by their numbers; −1 is the picture.
  var sources: [Int] { get }
  /// What of it a `.weights` file holds, in its order: names within the layer and the shapes that the numbers have there.
  var stream: [DarknetPiece] { get }
  /// The result N×C×H×W for those of ``sources``, in order.
  func callAsFunction(_ inputs: [Tensor]) -> Tensor
}

extension DarknetLayer {
  var stream: [DarknetPiece] { [] }
}

/// Neighbouring numbers of a `.weights` file.
struct DarknetPiece: Sendable, Hashable {
  /// The tensor's name within its layer.
  let name: String
  /// Its shape.
  let shape: Shape
}

/// The functions behind darknet's layers (`activations.h`).
enum DarknetActivation: String, CaseIterable {
  case linear, logistic, loggy, relu, relu6, elu, selu, relie, ramp, leaky, tanh, hardtan, lhtan, swish, mish,
    gelu

  static let words = Dictionary(uniqueKeysWithValues: allCases.map { ($0.rawValue, $0) })

  func callAsFunction(_ x: Tensor) -> Tensor {
    switch self {
    case .linear: x
    case .logistic: x.sigmoid()
    case .loggy: x.sigmoid().affine(scale: 2, shift: -1)
    case .relu: x.relu()
    case .relu6: Activation.relu6(x)
    case .elu: Activation.elu()(x)
    case .selu: Activation.elu(alpha: 1.6732)(x) * 1.0507
    case .relie: Activation.leakyReLU(slope: 0.01)(x)
    case .ramp: x.relu() + x * 0.1
    case .leaky: Activation.leakyReLU(slope: 0.1)(x)
    case .tanh: x.tanh()
    case .hardtan: x.clipped(-1, 1)
    // A thousandth of the slope below 0 and above 1.
    case .lhtan: x.clipped(0, 1) + (x - x.clipped(0, 1)) * 0.001
    case .swish: Activation.silu(x)
    // Misra 2019.
    case .mish: x * Activation.softplus(x).tanh()
    case .gelu: Activation.geluTanh(x)
    }
  }
}

extension DarknetFork {
  /// N×C×spatial normalized: by √(σ² + ε) with AlexeyAB, and by √σ² + 10⁻⁶ as pjreddie's program does it on a CPU, which differs where a variance
  /// is next to nothing. While training, the batch's own statistics are used either way.
  fileprivate func normalized(_ input: Tensor, _ bn: BatchNorm) -> Tensor {
    guard self == .pjreddie, !bn.isTraining else { return bn(input) }
    let deviation = bn.runningVar.value.squareRoot() + 1e-6
    return batchNormalized(
      input, scale: (bn.weight?.value ?? .ones(bn.bias.shape)) / deviation, shift: bn.bias.value,
      mean: bn.runningMean.value, variance: .ones(bn.bias.shape), epsilon: 0)
  }
}

/// What stands around a product of numbers: what is read, what is made, and what comes behind the product.
struct DarknetSurroundings {
  let activation: DarknetActivation
  /// Of the layer's result.
  let shape: DarknetShape
  let sources: [Int]
  let fork: DarknetFork

  /// The product normalized, if it is, and activated.
  fileprivate func finished(_ product: Tensor, _ bn: BatchNorm?) -> Tensor {
    activation(bn.map { fork.normalized(product, $0) } ?? product)
  }
}

/// A convolution, with a batch normalization or a bias, and its activation.
final class DarknetConvolution: DarknetLayer {
  let conv: Conv2d
  let bn: BatchNorm?
  private let surroundings: DarknetSurroundings

  init(_ conv: Conv2d, bn: BatchNorm?, _ surroundings: DarknetSurroundings) {
    (self.conv, self.bn, self.surroundings) = (conv, bn, surroundings)
  }

  var shape: DarknetShape { surroundings.shape }
  var sources: [Int] { surroundings.sources }

  var stream: [DarknetPiece] {
    let channels: Shape = [shape.channels]
    let first =
      bn == nil
      ? [DarknetPiece(name: "conv.bias", shape: channels)]
      : ["bias", "weight", "running_mean", "running_var"].map {
        DarknetPiece(name: "bn.\($0)", shape: channels)
      }
    return first + [DarknetPiece(name: "conv.weight", shape: conv.weight.shape)]
  }

  func callAsFunction(_ inputs: [Tensor]) -> Tensor { surroundings.finished(conv(inputs[0]), bn) }
}

/// A full connection of all elements, with a bias or a batch normalization, and its activation.
final class DarknetConnection: DarknetLayer {
  let linear: Linear
  let bn: BatchNorm?
  private let surroundings: DarknetSurroundings

  init(_ linear: Linear, bn: BatchNorm?, _ surroundings: DarknetSurroundings) {
    (self.linear, self.bn, self.surroundings) = (linear, bn, surroundings)
  }

  var shape: DarknetShape { surroundings.shape }
  var sources: [Int] { surroundings.sources }

  var stream: [DarknetPiece] {
    let outputs: Shape = [shape.channels]
    let weight = DarknetPiece(name: "linear.weight", shape: linear.weight.shape)
    guard bn != nil else { return [DarknetPiece(name: "linear.bias", shape: outputs), weight] }
    return [DarknetPiece(name: "bn.bias", shape: outputs), weight]
      + ["weight", "running_mean", "running_var"].map { DarknetPiece(name: "bn.\($0)", shape: outputs) }
  }

  func callAsFunction(_ inputs: [Tensor]) -> Tensor {
    let product = linear(inputs[0].flattened(from: 1)).reshaped(shape.of(batch: inputs[0].shape[0]))
    return surroundings.finished(product, bn)
  }
}

/// A batch normalization by itself, which pjreddie's files have no shifts of.
final class DarknetNormalization: DarknetLayer {
  let bn: BatchNorm
  let shape: DarknetShape
  let sources: [Int]
  private let fork: DarknetFork

  init(_ shape: DarknetShape, source: Int, _ fork: DarknetFork) {
    bn = BatchNorm(shape.channels, epsilon: Darknet.epsilon)
    self.shape = shape
    sources = [source]
    self.fork = fork
  }

  var stream: [DarknetPiece] {
    ((fork == .alexeyab ? ["bias"] : []) + ["weight", "running_mean", "running_var"]).map {
      DarknetPiece(name: "bn.\($0)", shape: [shape.channels])
    }
  }

  func callAsFunction(_ inputs: [Tensor]) -> Tensor { fork.normalized(inputs[0], bn) }
}

/// The results of other layers added to that before, each times a number, a channel's number or itself.
final class DarknetShortcut: DarknetLayer {
  /// How the numbers of the layers are brought to a common sum (AlexeyAB's `weights_normalization`).
  enum Normalization { case none, relu, softmax }

  /// Layers×1 or layers×C: what each result counts, the one before first; nil for 1 each.
  let weights: Parameter?
  let normalization: Normalization
  let activation: DarknetActivation
  let shape: DarknetShape
  let sources: [Int]
  /// What the result before and the other one count (pjreddie's `alpha` and `beta`).
  let scales: (Float, Float)
  private let isFlat: Bool

  /// - Parameter isFlat: whether a result of another size is added element by element as it lies in memory (AlexeyAB), instead of place by
  ///   place (pjreddie).
  init(
    _ shape: DarknetShape, sources: [Int], weightsPerLayer: Int?, _ normalization: Normalization,
    _ activation: DarknetActivation, scales: (Float, Float) = (1, 1), isFlat: Bool
  ) {
    weights = weightsPerLayer.map { Parameter([sources.count, $0], .ones) }
    self.normalization = normalization
    self.activation = activation
    self.shape = shape
    self.sources = sources
    self.scales = scales
    self.isFlat = isFlat
  }

  var stream: [DarknetPiece] {
    weights.map { [DarknetPiece(name: "weights", shape: $0.shape)] } ?? []
  }

  func callAsFunction(_ inputs: [Tensor]) -> Tensor {
    let terms = inputs.map { $0.shape == inputs[0].shape ? $0 : fitted($0) }
    guard let shares = weights.map({ normalized($0.value) }) else {
      let (own, other) = scales
      let first = own == 1 ? terms[0] : terms[0] * own
      return activation(terms.dropFirst().reduce(first) { $0 + (other == 1 ? $1 : $1 * other) })
    }
    let products = terms.enumerated().map { place, term in
      term * shares[place].reshaped([1, shares.shape[1], 1, 1])
    }
    return activation(products.dropFirst().reduce(products[0], +))
  }

  private func normalized(_ weights: Tensor) -> Tensor {
    let epsilon: Float = 1e-4
    switch normalization {
    case .none: return weights
    case .relu:
      let positive = weights.relu()
      return positive / (positive.sum([0], keepsAxes: true) + epsilon)
    case .softmax:
      let powers = (weights - weights.amax([0], keepsAxes: true)).exp()
      return powers / (powers.sum([0], keepsAxes: true) + epsilon)
    }
  }

  /// A result of another size, with zeros where it has nothing.
  private func fitted(_ term: Tensor) -> Tensor {
    let batch = term.shape[0]
    if isFlat {
      let flat = term.flattened(from: 1)
      let common = min(flat.shape[1], shape.count)
      return flat.sliced(1, 0..<common).padded(before: [0, 0], after: [0, shape.count - common])
        .reshaped(shape.of(batch: batch))
    }
    let stride = max(term.shape[3] / shape.width, 1)
    let channels = min(term.shape[1], shape.channels)
    let places = term.sliced(1, 0..<channels)
      .sliced(2, 0..<(shape.height * stride), step: stride)
      .sliced(3, 0..<(shape.width * stride), step: stride)
    return places.padded(before: [0, 0, 0, 0], after: [0, shape.channels - channels, 0, 0])
  }
}

/// Values that are left out at random, in training alone.
final class DarknetDropout: DarknetLayer {
  let dropout: Dropout
  let shape: DarknetShape
  let sources: [Int]

  init(_ shape: DarknetShape, source: Int, _ probability: Float) {
    dropout = Dropout(probability)
    self.shape = shape
    sources = [source]
  }

  func callAsFunction(_ inputs: [Tensor]) -> Tensor { dropout(inputs[0]) }
}

/// A layer without numbers of its own: a function of other layers' results.
final class DarknetFunction: DarknetLayer {
  let shape: DarknetShape
  let sources: [Int]
  private let body: ([Tensor]) -> Tensor

  init(_ shape: DarknetShape, sources: [Int], _ body: @escaping ([Tensor]) -> Tensor) {
    self.shape = shape
    self.sources = sources
    self.body = body
  }

  func callAsFunction(_ inputs: [Tensor]) -> Tensor { body(inputs) }
}
