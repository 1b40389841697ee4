/// What was not taken of a folder of pictures, counted by reason.
public struct LeftOut: Sendable, Hashable {
  /// Why something was not taken.
  public enum Reason: Sendable, Hashable {
    /// A file whose name ends in none that pictures have; without the dot, empty where there is no ending.
    case ending(String)
    /// A picture that cannot be decoded.
    case damaged
    /// A picture whose name begins with a dot.
    case hidden
    /// A file that lies beside the folders of the classes.
    case outside
    /// A link to nothing, or one in a circle of links.
    case brokenLink
    /// A pipe, a device or a socket.
    case notAFile
    /// A link to a folder that the class has already, or that the class lies in.
    case repeatedFolder
    /// A folder that may not be listed.
    case unreadableFolder
    /// A name that is not in UTF-8.
    case unreadableName
    /// A picture that an annotation file names and its folder has not, or whose size is none.
    case noFile
    /// An annotation of a picture that is not there.
    case noPicture
    /// An object of a category that the file does not list.
    case unknownCategory
    /// An object without a box, or whose box has no area inside of its picture.
    case degenerateBox
    /// A polygon of fewer than three points; its object stays.
    case degeneratePolygon
    /// A picture whose identifier another one has.
    case repeatedIdentifier
    /// An annotation without the caption that it should have.
    case noCaption

    /// What follows the number.
    var text: String {
      switch self {
      case .ending(""): "without an ending"
      case .ending(let ending): ".\(ending)"
      case .damaged: "damaged"
      case .hidden: "hidden"
      case .outside: "beside the class folders"
      case .brokenLink: "leading nowhere"
      case .notAFile: "neither file nor folder"
      case .repeatedFolder: "linked again"
      case .unreadableFolder: "unreadable"
      case .unreadableName: "named otherwise than in UTF-8"
      case .noFile: "pictures without a file"
      case .noPicture: "annotations without a picture"
      case .unknownCategory: "objects of unknown categories"
      case .degenerateBox: "objects without a box"
      case .degeneratePolygon: "polygons without area"
      case .repeatedIdentifier: "pictures named twice"
      case .noCaption: "annotations without a caption"
      }
    }
  }

  /// How much was not taken for each reason.
  public private(set) var counts: [Reason: Int] = [:]

  /// Nothing left out.
  public init() {}

  /// Whether everything was taken.
  public var isEmpty: Bool { counts.isEmpty }

  /// Counts `count` more for a reason.
  public mutating func add(_ reason: Reason, _ count: Int = 1) {
    if count > 0 { counts[reason, default: 0] += count }
  }

  /// Counts what another folder left out as well.
  public mutating func add(_ other: LeftOut) {
    for (reason, count) in other.counts { add(reason, count) }
  }

  /// The counts by what they count: `.webp`, `damaged`.
  public var byText: [String: Int] {
    Dictionary(uniqueKeysWithValues: counts.map { ($0.key.text, $0.value) })
  }
}

extension LeftOut: CustomStringConvertible {
  /// `1 .bmp, 2 damaged`, endings first.
  public var description: String {
    counts.map { (text: $0.key.text, count: $0.value) }.sorted { $0.text < $1.text }
      .map { "\($0.count) \($0.text)" }.joined(separator: ", ")
  }
}
