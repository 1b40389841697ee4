import AviaryLayers
import AviaryTensors

/// DETR: detection as the prediction of a set (Carion, Massa, Synnaeve, Usunier, Kirillov & Zagoruyko 2020, "End-to-End Object Detection
/// with Transformers", arXiv:2005.12872, section 3.2 and figure 2; the transformer in figure 10).
///
/// No anchors and no suppression: each of a hundred queries answers with one object and its box, or with none. Names as
/// facebookresearch's.
public final class DETR: Network {
  /// The sizes of a network (section 4 and appendix A.4).
  public struct Configuration: Sendable, Hashable {
    /// The residual network in front of the transformer; its batch normalization is frozen, its classifier left out.
    public var body: ResNet.Configuration
    /// D, the heads, and the width of the hidden layers of encoder and decoder.
    public var transformer = TransformerConfiguration(width: 256, heads: 8, hidden: 2048)
    /// Layers of the encoder.
    public var encoderLayers = 6
    /// Layers of the decoder.
    public var decoderLayers = 6
    /// Object queries: the largest number of objects in a picture.
    public var queries = 100
    /// Numbers that a label may have: COCO's, of which some are not used. "No object" comes after them.
    public var labels = 91

    /// "DETR" of table 1: 6 layers of width 256 on ResNet-50.
    public static let resnet50 = Configuration(body: .resnet50)
  }

  /// From the picture to a map N×C×H/32×W/32 and its positions.
  package let backbone: DETRBackbone
  /// The 1×1 convolution from the map's C channels to D.
  package let inputProj: Conv2d
  /// The object queries Q×D, learned positions of the decoder.
  package let queryEmbed: Embedding
  /// From the map's places N×T×D and the queries to objects N×Q×D.
  package let transformer: Transformer
  /// From objects to logits of the labels, "no object" the last.
  package let classEmbed: Linear
  /// From objects to boxes before the sigmoid: three layers with ReLU between them.
  package let bboxEmbed: MLP
  let configuration: Configuration
  /// How it learns.
  public var loss = DETRLoss()

  /// An encoder without a normalization of its own at the end, and a decoder with one.
  public final class Transformer: Module {
    /// Self-attention over the places of the map, N×T×D.
    public let encoder: TransformerEncoder
    /// Attention among the queries and to the encoder's result, N×Q×D.
    public let decoder: TransformerDecoder

    init(_ configuration: Configuration) {
      encoder = TransformerEncoder(configuration.transformer, layers: configuration.encoderLayers)
      decoder = TransformerDecoder(
        configuration.transformer, layers: configuration.decoderLayers, hasNorm: true)
    }
  }

  /// A network with first values, ready to be trained.
  public init(_ configuration: Configuration = .resnet50) {
    self.configuration = configuration
    let width = configuration.transformer.width
    backbone = DETRBackbone(configuration.body)
    inputProj = Conv2d(backbone.channels, width, kernel: 1)
    queryEmbed = Embedding(vocabulary: configuration.queries, width: width)
    transformer = Transformer(configuration)
    classEmbed = Linear(width, configuration.labels + 1)
    bboxEmbed = MLP(width, hidden: [width, width], 4)
  }

  /// `image` and an optional `mask` of its padding to `pred_logits` and `pred_boxes`.
  public var signature: Signature {
    let queries = TensorPort.Axis.fixed(configuration.queries)
    return Signature(
      inputs: [
        TensorPort("image", ["N", 3, "H", "W"]),
        TensorPort("mask", ["N", "H", "W"], .bool, isOptional: true),
      ],
      outputs: [
        TensorPort("pred_logits", ["N", queries, .fixed(configuration.labels + 1)]),
        TensorPort("pred_boxes", ["N", queries, 4]),
      ])
  }

  /// A mask that is false everywhere: there is no padding.
  public func defaults(for inputs: NamedTensors) -> NamedTensors {
    let shape = inputs["image"].shape
    return ["mask": Tensor(repeating: false, shape: [shape[0], shape[2], shape[3]])]
  }

  public func callAsFunction(_ inputs: NamedTensors) -> NamedTensors {
    let (logits, boxes) = self(inputs["image"], mask: inputs["mask"])
    return ["pred_logits": logits, "pred_boxes": boxes]
  }

  /// Logits N×Q×(labels + 1), and boxes N×Q×4 as centre x, centre y, width and height in shares of the picture without its
  /// padding.
  ///
  /// - Parameters:
  ///   - image: N×3×H×W, normalised, with zeros below and to the right of smaller pictures.
  ///   - mask: N×H×W, Boolean, true for that padding.
  public func callAsFunction(_ image: Tensor, mask: Tensor) -> (logits: Tensor, boxes: Tensor) {
    answers(objects(image, mask: mask).last!)
  }

  /// Logits and boxes of what a layer of the decoder makes of the queries.
  func answers(_ objects: Tensor) -> (logits: Tensor, boxes: Tensor) {
    let normalized = transformer.decoder.norm?(objects) ?? objects
    return (classEmbed(normalized), bboxEmbed(normalized).sigmoid())
  }

  /// What each layer of the decoder makes of the queries, N×Q×D: the last is answered with, and in training all of them.
  func objects(_ image: Tensor, mask: Tensor) -> [Tensor] {
    let (features, positions, padding) = backbone(
      image, mask: mask.cast(to: .bool), width: configuration.transformer.width)
    let source = inputProj(features).flattened(from: 2).transposed()  // N×D×H/32×W/32 to N×T×D
    let memory = transformer.encoder(source, positions: positions, keyPaddingMask: padding)
    // Of the queries there are only positions: what the decoder starts from is zero.
    let queries = queryEmbed.weight.value.expanded(to: [image.shape[0]] + queryEmbed.weight.shape)  // N×Q×D
    var objects = Tensor.zeros(queries.shape)
    return transformer.decoder.layers.map { layer in
      objects = layer(
        objects, memory: memory, positions: queries, memoryPositions: positions,
        memoryKeyPaddingMask: padding)
      return objects
    }
  }
}
