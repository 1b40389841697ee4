import AviaryLayers
import AviaryTensors

/// The generator of DCGAN (Radford, Metz & Chintala 2016, "Unsupervised Representation Learning with Deep Convolutional Generative
/// Adversarial Networks", arXiv:1511.06434, figure 1): from noise to pictures by transposed convolutions.
///
/// `z` N×Z×1×1 to `out` N×C×S×S, from −1 to 1. Names as in PyTorch's tutorial, whose first convolution has no padding and all later ones
/// double height and width. With classes, a picture's class comes as integer `labels` N beside the noise, as a one of its own among zeros
/// (Mirza & Osindero 2014, "Conditional Generative Adversarial Nets", arXiv:1411.1784).
public final class DCGANGenerator: Network {
  /// Transposed convolutions, each followed by batch normalization and ReLU, the last one by tanh.
  public let main: Sequential
  /// What the network was built from.
  public let configuration: DCGANConfiguration

  /// A network with first values, ready to be trained.
  public init(_ configuration: DCGANConfiguration = .tutorial) {
    self.configuration = configuration
    let (classes, doublings) = (configuration.classes, configuration.doublings)
    var layers: [any Layer] = []
    var inputs = configuration.noise + classes
    for step in 0..<doublings {
      let outputs = configuration.generatorWidth << (doublings - 1 - step)
      layers.append(
        ConvTranspose2d(
          inputs, outputs, kernel: 4, stride: step == 0 ? 1 : 2, padding: step == 0 ? nil : .halving,
          bias: false))
      layers.append(BatchNorm(outputs))
      layers.append(Activate(.relu))
      inputs = outputs
    }
    layers.append(
      ConvTranspose2d(inputs, configuration.channels, kernel: 4, stride: 2, padding: .halving, bias: false))
    layers.append(Activate(.tanh))
    main = Sequential(layers)
  }

  /// `z` and, with classes, `labels` to `out`.
  public var signature: Signature {
    let (channels, size) = (configuration.channels, configuration.imageSize)
    return Signature(
      inputs: [TensorPort("z", ["N", .fixed(configuration.noise), 1, 1])] + configuration.labelPorts,
      outputs: [TensorPort("out", ["N", .fixed(channels), .fixed(size), .fixed(size)])])
  }

  public func callAsFunction(_ inputs: NamedTensors) -> NamedTensors {
    ["out": pictures(of: inputs["z"], inputs[ifPresent: "labels"])]
  }

  /// Pictures N×C×S×S of noise N×Z×1×1 and, with classes, labels N.
  public func pictures(of z: Tensor, _ labels: Tensor? = nil) -> Tensor {
    let marks = labels.map { configuration.marks($0) }
    return main(marks.map { concatenate([z, $0], axis: 1) } ?? z)
  }
}

/// The discriminator of DCGAN: from pictures to how likely they are real, by convolutions of stride 2.
///
/// `input` N×C×S×S, from −1 to 1, to `out` N×1×1×1, a probability. Names as in PyTorch's tutorial. With classes, `labels` N say which one a
/// picture is to be judged as: a plane of ones beside planes of zeros. Without normalization it is a critic for WGAN-GP.
public final class DCGANDiscriminator: Network {
  /// Convolutions, each followed by batch normalization (but the first) and a leaky ReLU; the last one gives the logit.
  public let main: Sequential
  /// What the network was built from.
  public let configuration: DCGANConfiguration

  /// A network with first values, ready to be trained.
  public init(_ configuration: DCGANConfiguration = .tutorial) {
    self.configuration = configuration
    var layers: [any Layer] = []
    var inputs = configuration.channels + configuration.classes
    for step in 0..<configuration.doublings {
      let outputs = configuration.discriminatorWidth << step
      layers.append(Conv2d(inputs, outputs, kernel: 4, stride: 2, padding: 1, bias: false))
      if step > 0, configuration.isNormalized { layers.append(BatchNorm(outputs)) }
      layers.append(Activate(.leakyReLU(slope: Self.slope)))
      inputs = outputs
    }
    layers.append(Conv2d(inputs, 1, kernel: 4, bias: false))
    main = Sequential(layers)
  }

  /// Of the leaky ReLU for negative values.
  static let slope: Float = 0.2

  /// `input` and, with classes, `labels` to `out`.
  public var signature: Signature {
    let (channels, size) = (configuration.channels, configuration.imageSize)
    return Signature(
      inputs: [TensorPort("input", ["N", .fixed(channels), .fixed(size), .fixed(size)])]
        + configuration.labelPorts,
      outputs: [TensorPort("out", ["N", 1, 1, 1])])
  }

  public func callAsFunction(_ inputs: NamedTensors) -> NamedTensors {
    ["out": logits(of: inputs["input"], inputs[ifPresent: "labels"]).sigmoid()]
  }

  /// How much speaks for pictures N×C×S×S being real, N×1×1×1 before the logistic function.
  public func logits(of pictures: Tensor, _ labels: Tensor? = nil) -> Tensor {
    main(marked(pictures, labels))
  }

  /// Pictures with a plane for each class beside their channels.
  func marked(_ pictures: Tensor, _ labels: Tensor?) -> Tensor {
    guard let labels else { return pictures }
    let size = configuration.imageSize
    let planes = configuration.marks(labels)
    return concatenate([pictures, planes.expanded(to: planes.shape[...1] + [size, size])], axis: 1)
  }
}

extension DCGANConfiguration {
  /// A one for its label and zeros for the other classes, N×K×1×1.
  func marks(_ labels: Tensor) -> Tensor {
    let table = Tensor(
      (0..<classes * classes).map { $0 % (classes + 1) == 0 ? Float(1) : 0 }, shape: [classes, classes])
    return embedding(table, tokens: labels).reshaped([labels.shape[0], classes, 1, 1])
  }

  /// The input that says classes, where there are some.
  var labelPorts: [TensorPort] { classes > 0 ? [TensorPort("labels", ["N"], .int64, below: classes)] : [] }
}
