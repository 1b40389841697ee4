import AviaryTensors
import AviaryVision

/// Pictures with what is known of them, in any order: what data of every task is made of (``AugmentedPictures``).
public protocol AnnotatedPictures: Sendable {
  /// All pictures.
  var count: Int { get }
  /// One name per class, of pictures or of objects.
  var classNames: [String] { get }
  /// The class of a whole picture, without decoding it; nil where it has none.
  func knownLabel(_ index: Int) -> Int?
  /// One picture; the error names its file.
  func picture(_ index: Int) throws -> AnnotatedPicture
}

/// So many pictures that the library draws: `generator`'s first ones of a seed.
public struct ScenePictures: AnnotatedPictures {
  /// What draws them.
  public let generator: SceneGenerator
  public let count: Int
  /// Whose pictures they are; others of another seed.
  public let seed: UInt64

  /// The first `count` pictures of a seed.
  public init(_ generator: SceneGenerator, count: Int, seed: UInt64 = 0) {
    self.generator = generator
    self.count = count
    self.seed = seed
  }

  public var classNames: [String] { generator.classNames }
  public func knownLabel(_ index: Int) -> Int? { generator.label(index, seed: seed) }
  public func picture(_ index: Int) -> AnnotatedPicture { generator.picture(index, seed: seed) }
}

/// Some pictures of others, such as those for validation.
public struct SomePictures: AnnotatedPictures {
  private let base: any AnnotatedPictures
  private let indices: [Int]

  /// The pictures `indices` of `base`, in this order.
  public init(_ base: any AnnotatedPictures, _ indices: [Int]) {
    for index in indices { require(0..<base.count ~= index, "picture \(index) of \(base.count)") }
    self.base = base
    self.indices = indices
  }

  public var count: Int { indices.count }
  public var classNames: [String] { base.classNames }
  public func knownLabel(_ index: Int) -> Int? { base.knownLabel(indices[index]) }
  public func picture(_ index: Int) throws -> AnnotatedPicture { try base.picture(indices[index]) }
}
