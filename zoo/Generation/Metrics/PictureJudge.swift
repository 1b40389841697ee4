import AviaryLayers
import AviaryTensors
import AviaryVision
import Foundation

/// A classifier that says how good made pictures are: whether it is sure of what it sees, whether there is everything, and whether its features
/// of them are spread as those of real pictures.
///
/// What it says is comparable with what the same classifier says of others alone.
public struct PictureJudge: Sendable {
  /// The catalogue's name of the classifier.
  public let name: String
  private let network: SharedNetwork
  private let pictures: PictureInput
  private let inputShape: Shape

  /// Judges with what the last stage of a classifier is given, averaged over places, and with its probabilities.
  ///
  /// - Throws: ``UnsuitablePicture`` when its preprocessing makes no input of pictures.
  public init(_ loaded: sending LoadedClassifier) throws {
    let preprocessing = try loaded.pictures()
    (name, pictures, inputShape) = (loaded.name, preprocessing, loaded.inputShape)
    network = SharedNetwork(JudgingNetwork(loaded.model))
  }

  /// What a judge sees in pictures.
  public struct Sight {
    /// N×D.
    public let features: Tensor
    /// N×classes, each row of sum 1.
    public let probabilities: Tensor
  }

  /// What it sees in pictures; throws ``UnsuitablePicture``, ``NoNumbers``.
  public func sight(of images: [Image]) throws -> Sight {
    let inputs = try images.map { try pictures.input($0, named: "a picture") }
    let outputs = network(["input": concatenate(inputs, axis: 0)])
    try outputs["logits"].requireNumbers(of: "the pictures")
    return Sight(features: outputs["features"], probabilities: outputs["logits"].softmax())
  }
}

/// A classifier that also returns what its last stage is given. It has no names of its own: nothing is loaded into it.
private final class JudgingNetwork: Network {
  private let model: any StagedModel

  init(_ model: any StagedModel) { self.model = model }

  var signature: Signature {
    Signature(
      inputs: model.signature.inputs,
      outputs: [TensorPort("features", ["N", "D"])] + model.signature.outputs)
  }

  func callAsFunction(_ inputs: NamedTensors) -> NamedTensors {
    let stages = model.stages
    let reached = stages.dropLast().reduce(inputs["input"]) { $1($0) }
    let features = reached.rank > 2 ? model.spatialMean(reached) : reached
    return ["features": features, "logits": stages.suffix(1).reduce(reached) { $1($0) }]
  }
}

/// What a judge says of made pictures.
public struct GenerationQuality: Sendable, Encodable {
  /// Pictures that were made.
  public let count: Int
  /// The judge.
  public let judge: String
  /// The mean of the largest probabilities.
  public let confidence: Double
  /// The share of pictures whose largest probability is above 0.9.
  public let sureShare: Double
  /// How many pictures were taken for each class, in the order of the judge's outputs.
  public let classes: [Int]
  /// e to the mean divergence of a picture's probabilities from those of all (Salimans et al. 2016, "Improved Techniques for Training GANs",
  /// section 4), with this judge in place of Inception.
  public let inceptionScore: Double
  /// The squared Fréchet distance from real pictures in the judge's features; nil without such.
  public let frechetDistance: Double?
  /// Real pictures that they were compared with.
  public let realCount: Int

  /// - Parameters:
  ///   - made: what the judge saw in made pictures, some at a time.
  ///   - real: in real ones; none where there is nothing to compare with.
  public init(judge: String, made: [PictureJudge.Sight], real: [PictureJudge.Sight] = []) {
    require(!made.isEmpty, "no pictures were made")
    self.judge = judge
    let probabilities = concatenate(made.map(\.probabilities), axis: 0)
    let (count, width) = (probabilities.shape[0], probabilities.shape[1])
    let values = probabilities.values()
    let rows = (0..<count).map { values[($0 * width)..<(($0 + 1) * width)] }
    let largest = rows.map { Double($0.max() ?? 0) }
    self.count = count
    confidence = largest.reduce(0, +) / Double(count)
    sureShare = Double(largest.filter { $0 > 0.9 }.count) / Double(count)
    var classes = [Int](repeating: 0, count: width)
    for row in rows { classes[row.indices.max { row[$0] < row[$1] }! - row.startIndex] += 1 }
    self.classes = classes
    let mean = (0..<width).map { place in
      rows.reduce(0) { $0 + Double($1[$1.startIndex + place]) } / Double(count)
    }
    let divergence = rows.reduce(0.0) { sum, row in
      zip(row, mean).reduce(sum) {
        $1.0 > 0 ? $0 + Double($1.0) * (Foundation.log(Double($1.0)) - Foundation.log($1.1)) : $0
      }
    }
    inceptionScore = Foundation.exp(divergence / Double(count))
    realCount = real.reduce(0) { $0 + $1.features.shape[0] }
    guard let width = real.first?.features.shape[1] else {
      frechetDistance = nil
      return
    }
    var (ours, theirs) = (FeatureStatistics(width: width), FeatureStatistics(width: width))
    for sight in made { ours.add(sight.features) }
    for sight in real { theirs.add(sight.features) }
    frechetDistance = ours.frechetDistance(to: theirs)
  }
}
