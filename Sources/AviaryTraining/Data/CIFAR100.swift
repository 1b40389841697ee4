import AviaryTensors
import AviaryVision

/// Small colour pictures of a hundred classes in twenty groups (Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images").
///
/// Reads the binary version, plain or compressed by gzip: per example the group, the class, and the red, green and blue planes of 32×32 bytes.
public struct CIFAR100: AnnotatedPictures {
  /// Which of its two labels an example has.
  public enum Labels: String, Sendable, Hashable, Codable {
    /// The twenty groups: aquatic mammals, fish, …
    case coarse
    /// The hundred classes: apple, aquarium fish, …
    case fine
  }

  private static let pixels = 3 * 32 * 32
  private static let record = 2 + pixels

  private let records: [UInt8]
  /// Which labels the pictures have.
  public let labels: Labels

  /// The examples of all `files` in order.
  public init(files: [String], labels: Labels = .fine) throws(DataFile.Failure) {
    var records: [UInt8] = []
    for file in files {
      let content = try DataFile.read(file)
      guard !content.isEmpty, content.count % Self.record == 0 else {
        throw DataFile.Failure(
          path: file,
          reason: "\(content.count) bytes are no whole number of CIFAR-100 examples of \(Self.record)")
      }
      for start in stride(from: 0, to: content.count, by: Self.record) {
        let (coarse, fine) = (content[start], content[start + 1])
        guard coarse < 20, fine < 100 else {
          throw DataFile.Failure(
            path: file,
            reason:
              "the labels \(coarse) and \(fine) of example \(start / Self.record) are not below 20 and 100")
        }
      }
      records += content
    }
    self.records = records
    self.labels = labels
  }

  /// The training (50 000) or test (10 000) part of a folder with the database's files `train.bin` and `test.bin`.
  public init(folder: String, isTraining: Bool, labels: Labels = .fine) throws(DataFile.Failure) {
    try self.init(files: ["\(folder)/\(isTraining ? "train" : "test").bin"], labels: labels)
  }

  public var count: Int { records.count / Self.record }
  public var classNames: [String] { labels == .coarse ? Self.coarseNames : Self.fineNames }

  /// The class of an example.
  public func label(_ index: Int) -> Int {
    require(0..<count ~= index, "example \(index) of \(count)")
    return Int(records[index * Self.record + (labels == .coarse ? 0 : 1)])
  }
  public func knownLabel(_ index: Int) -> Int? { label(index) }

  public func picture(_ index: Int) -> AnnotatedPicture {
    let label = label(index)
    let start = index * Self.record + 2
    let plane = Self.pixels / 3
    let pixels = (0..<Self.pixels).map { records[start + $0 % 3 * plane + $0 / 3] }
    return AnnotatedPicture(image: Image(width: 32, height: 32, model: .rgb, pixels: pixels), label: label)
  }

  private static let coarseNames = [
    "aquatic mammals", "fish", "flowers", "food containers", "fruit and vegetables",
    "household electrical devices", "household furniture", "insects", "large carnivores",
    "large man-made outdoor things", "large natural outdoor scenes", "large omnivores and herbivores",
    "medium-sized mammals", "non-insect invertebrates", "people", "reptiles", "small mammals", "trees",
    "vehicles 1", "vehicles 2",
  ]

  private static let fineNames = """
    apple, aquarium fish, baby, bear, beaver, bed, bee, beetle, bicycle, bottle, bowl, boy, bridge, bus, butterfly, camel, can, castle, \
    caterpillar, cattle, chair, chimpanzee, clock, cloud, cockroach, couch, crab, crocodile, cup, dinosaur, dolphin, elephant, flatfish, \
    forest, fox, girl, hamster, house, kangaroo, keyboard, lamp, lawn mower, leopard, lion, lizard, lobster, man, maple tree, motorcycle, \
    mountain, mouse, mushroom, oak tree, orange, orchid, otter, palm tree, pear, pickup truck, pine tree, plain, plate, poppy, porcupine, \
    possum, rabbit, raccoon, ray, road, rocket, rose, sea, seal, shark, shrew, skunk, skyscraper, snail, snake, spider, squirrel, \
    streetcar, sunflower, sweet pepper, table, tank, telephone, television, tiger, tractor, train, trout, tulip, turtle, wardrobe, whale, \
    willow tree, wolf, woman, worm
    """.split(separator: ", ").map(String.init)
}
