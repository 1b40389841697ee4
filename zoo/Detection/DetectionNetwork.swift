import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights

/// What a network must bring so that a ``Detector`` can be made of it.
public protocol DetectionNetwork: Network {
  /// Numbers that a label may have, from 0.
  var labelCount: Int { get }
  /// What stands before and behind the network, as numbers bound to its weights have it.
  ///
  /// - Parameters:
  ///   - preprocessing: how pictures become inputs, as a portable file says it.
  ///   - settings: the numbers of the task by the names of `PortableFormat.md`, without those of ``Detector`` itself.
  /// - Throws: `WeightsError` or ``ConfigurationError`` for numbers that make no sense, or that the network does not know.
  func processor(
    _ preprocessing: PortableMetadata.Preprocessing, _ settings: Settings
  ) throws -> any DetectionProcessor
}

/// A detection network that, as a graph, has room for the most objects that it can find: what is left of it is empty.
public protocol CountedNetwork: Network {
  /// The outputs as the reference gives them, of which there are as many as there are objects.
  func trimmed(_ outputs: NamedTensors, for inputs: NamedTensors) -> NamedTensors
}

/// What stands before and behind a detection network: from pictures to its inputs, and from its outputs to objects. It has no weights, so that
/// threads can use it beside the network.
public protocol DetectionProcessor: Sendable {
  /// The size that a picture of `width`×`height` pixels is brought to, from which memory is foreseen.
  func size(width: Int, height: Int) -> (width: Int, height: Int)
  /// Whether pictures of different sizes go through the network together; those of one size always do.
  var joinsSizes: Bool { get }
  /// The network's inputs for pictures, of any sizes where these are joined.
  func inputs(_ images: [Image]) -> NamedTensors
  /// The objects in each picture with scores above `threshold`, in any order; boxes in pixels of the pictures as they were, which may reach
  /// over the border.
  ///
  /// - Parameters:
  ///   - sizes: of the pictures as they were.
  ///   - labels: one name for each number that a label may have.
  func detections(
    _ outputs: NamedTensors, sizes: [(width: Int, height: Int)], labels: [String], threshold: Float
  ) -> [[Detection]]
}

extension DetectionProcessor {
  public var joinsSizes: Bool { true }
}
