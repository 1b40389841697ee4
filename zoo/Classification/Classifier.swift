import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights

/// Says what is in a picture: the likeliest of the classes that its weights know.
///
///     let answer = try Zoo.load(Classifier.self, "resnet50").classify(image, top: 5)
public struct Classifier: TaskModel {
  public static let task = ZooTask.classification

  /// A class and how likely it is.
  public struct Answer: Sendable, Hashable, Codable {
    /// The class' position among the network's outputs.
    public let index: Int
    /// Its name.
    public let label: String
    /// Of all classes, from 0 to 1.
    public let probability: Float
  }

  /// One name per class, in the order of the network's outputs.
  public let labels: [String]
  /// How a picture becomes the network's input.
  public let preprocessing: Preprocessing
  private let pictures: PictureInput
  private let network: SharedNetwork

  /// - Throws: ``UnsuitablePicture`` when the preprocessing makes no picture what the network takes, ``AdaptationError`` when the network takes
  ///   no pictures, ``WrongTask`` when it is no classifier of the zoo.
  public init(_ loaded: sending LoadedNetwork, execution: Execution = .compiled()) throws {
    guard let classifier = loaded.classifier else { throw WrongTask(model: loaded.name, task: loaded.task) }
    try classifier.requirePictures()
    pictures = try classifier.pictures()
    (labels, preprocessing) = (classifier.labels, classifier.preprocessing)
    network = SharedNetwork(loaded.network, execution: execution)
  }

  /// A network of one's own that maps pictures N×C×H×W to logits N×classes.
  ///
  /// - Parameters:
  ///   - labels: one name per class.
  ///   - preprocessing: how pictures become the network's input.
  public init(
    _ network: sending any Layer, labels: [String], preprocessing: Preprocessing,
    execution: Execution = .compiled()
  ) {
    self.labels = labels
    self.preprocessing = preprocessing
    pictures = PictureInput(preprocessing)
    self.network = SharedNetwork(layer: network, input: "input", output: "logits", execution: execution)
  }

  private init(_ other: Classifier) {
    (labels, preprocessing, pictures) = (other.labels, other.preprocessing, other.pictures)
    network = other.network.copy()
  }

  public func copy() -> Classifier { Classifier(self) }

  /// The likeliest classes of a picture, the likeliest first.
  ///
  /// - Parameters:
  ///   - top: how many; all where there are fewer.
  ///   - name: what messages call the picture.
  /// - Throws: ``UnsuitablePicture`` for a picture that becomes nothing the network takes, ``NoNumbers``.
  public func classify(_ image: Image, top: Int = 5, named name: String = "the picture") throws -> [Answer] {
    require(top > 0, "the \(top) likeliest classes were asked for")
    let logits = network(["input": try pictures.input(image, named: name)])["logits"]
    try logits.requireNumbers(of: name)
    let (values, positions) = logits.softmax().topK(min(top, labels.count))
    return zip(values.values(), positions.values(of: Int64.self)).map { value, position in
      Answer(index: Int(position), label: labels[Int(position)], probability: value)
    }
  }
}
