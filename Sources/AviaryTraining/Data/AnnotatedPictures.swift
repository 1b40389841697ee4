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

extension AnnotatedPictures {
  /// Some to learn from, and `share` of them to choose the best epoch by, at most all but one.
  ///
  /// - Parameter seed: what decides which are taken for the second part; nil for the last ones, where pictures are independent of each other in
  ///   any order.
  public func parts(
    validation share: Float, shuffledBy seed: UInt64? = nil
  ) -> (training: SomePictures, validation: SomePictures) {
    require(0..<1 ~= share, "a share of \(share) for validation")
    let order = seed.map { Tensor.permutation(count, using: RandomGenerator(seed: $0)) } ?? Array(0..<count)
    let learned = count - Int(Float(count) * share)
    return (
      SomePictures(self, order[..<learned].sorted()), SomePictures(self, order[learned...].sorted())
    )
  }
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
