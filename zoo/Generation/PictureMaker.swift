import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights

/// A network that makes pictures of random numbers.
protocol GenerativeNetwork: Network {
  /// How it makes them, for the network once threads share it.
  ///
  /// - Parameters:
  ///   - metadata: what is bound to the weights.
  ///   - name: what messages call the network.
  /// - Throws: ``ConfigurationError``, ``UnsuitableGenerator`` or `WeightsError` when that makes no pictures.
  func pictureMaker(
    _ metadata: PortableMetadata, named name: String
  ) throws -> @Sendable (SharedNetwork) -> any PictureMaker
}

/// What a generative network brings: the shape of its noise, and how that becomes pictures.
protocol PictureMaker: Sendable {
  /// The noise that one picture begins with, without the axis N.
  var latentShape: Shape { get }
  /// C×H×W of a picture.
  var pictureShape: Shape { get }
  /// The values that black and white have among those of the samples.
  var range: ClosedRange<Float> { get }
  /// What is done where nothing is asked for; nil where there is nothing to choose.
  var sampling: Sampling? { get }
  /// How many classes of pictures the network tells apart; nil where it knows none.
  var classCount: Int? { get }
  /// How often a network runs for a batch. Throws ``ConfigurationError`` or ``UnsuitableGenerator`` for what cannot be done.
  func stepCount(_ sampling: Sampling?, _ conditions: Conditions) throws -> Int
  /// Samples N×C×H×W of latents N×….
  ///
  /// - Parameters:
  ///   - sampling: one that ``stepCount(_:_:)`` accepts, with the conditions.
  ///   - noise: of a step that adds some, from 0, of the latents' shape.
  ///   - step: called after each run of a network with what the samples are then, N×C×H×W.
  /// - Throws: ``NoNumbers`` when a network's output is not finite, which what follows could hide.
  func samples(
    of latents: Tensor, _ sampling: Sampling?, _ conditions: BatchConditions,
    noise: (_ step: Int) -> Tensor, step: (_ samples: Tensor) throws -> Void
  ) throws -> Tensor
  /// Another one for calls at the same time.
  func copy() -> Self
}

extension PictureMaker {
  var classCount: Int? { nil }
}

/// A picture maker that finds the latents which pictures are made of.
protocol PictureEncoder: PictureMaker {
  /// The samples 1×C×H×W that a picture is; throws ``UnsuitablePicture``.
  func input(_ image: Image, named name: String) throws(UnsuitablePicture) -> Tensor
  /// Latents N×… of samples N×C×H×W.
  ///
  /// - Parameter step: called after each run of a network.
  /// - Throws: as ``samples(of:_:_:noise:step:)``.
  func latents(
    of samples: Tensor, _ sampling: Sampling?, _ conditions: BatchConditions, step: () throws -> Void
  ) throws -> Tensor
  /// How often a network runs to find them.
  func encodingSteps(_ sampling: Sampling?) throws -> Int
}

/// A network that makes pictures was asked for what it does not do, or cannot make any.
public struct UnsuitableGenerator: Error, Equatable, CustomStringConvertible {
  /// The catalogue's name of the network.
  public let model: String
  /// What is wrong, in words.
  public let reason: String
  public var description: String { "\(model) \(reason)" }
}
