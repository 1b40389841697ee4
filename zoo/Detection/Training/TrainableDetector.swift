import AviaryLayers
import AviaryTensors
import AviaryTraining
import AviaryVision

/// A detector that learns from pictures with objects.
public protocol TrainableDetector: DetectionNetwork {
  /// The losses of a batch by their names in torchvision, each of one element; their sum is made small.
  ///
  /// - Parameters:
  ///   - batch: pictures of 0…1, with objects whose labels the network knows, or without any.
  ///   - choose: the numbers below the given one in random order, for what learns from a few of many boxes.
  /// - Throws: ``UnsuitableObject``.
  func losses(_ batch: DetectionBatch, choosing choose: (Int) -> [Int]) throws -> NamedTensors
}

extension TrainableDetector {
  /// A learner of the sum of ``losses(_:choosing:)``. Its metrics are the losses.
  ///
  /// - Parameter generator: chooses the boxes that are learned from.
  public func learner(
    _ optimizer: any Optimizer, using generator: RandomGenerator = .current
  ) -> ObjectiveLearner<DetectionBatch> {
    ObjectiveLearner<DetectionBatch>(self, optimizer) { batch in
      let losses = try self.losses(batch) { Tensor.permutation($0, using: generator) }
      let sum = losses.tensors.dropFirst().reduce(losses.tensors[0]) { $0 + $1 }
      return ObjectiveValue(
        loss: sum, count: batch.examples.count,
        metrics: Dictionary(uniqueKeysWithValues: losses.elements.map { ($0.name, $0.tensor.item()) }))
    }
  }
}

/// An object that a detector cannot learn from.
public struct UnsuitableObject: Error, Equatable, CustomStringConvertible {
  /// The picture's number in its data.
  public let example: Int
  /// What is wrong with it.
  public let reason: String

  public var description: String { "an object of picture \(example) \(reason)" }
}

/// The objects of a batch in its pictures as the network resizes them. Crowds are left out.
struct ScaledTruth {
  /// Of each picture.
  let boxes: [[Box]]
  /// Of each picture.
  let labels: [[Int]]
  /// Of each picture, 0 and 1 of the resized picture without its padding, row by row; empty where they are not asked for.
  let masks: [[[Float]]]

  /// Throws ``UnsuitableObject`` for a box without an area, a label that is none of the network's, and where masks are asked for an object
  /// without one.
  init(_ batch: DetectionBatch, _ picture: ScaledPicture, labels known: Range<Int>, needsMasks: Bool) throws {
    let (x, y) = (
      Float(picture.width) / Float(picture.original[3]), Float(picture.height) / Float(picture.original[2])
    )
    let objects = batch.instances.map { $0.filter { !$0.isCrowd } }
    for (instances, example) in zip(objects, batch.examples) {
      for instance in instances {
        let box = instance.box
        func refuse(_ reason: String) -> UnsuitableObject {
          UnsuitableObject(example: example, reason: reason)
        }
        guard box.x2 > box.x1, box.y2 > box.y1 else { throw refuse("has a box without an area: \(box.coco)") }
        guard known.contains(instance.labelIndex) else {
          throw refuse(
            "has the label \(instance.labelIndex), of \(known.lowerBound) to \(known.upperBound - 1)")
        }
        if needsMasks, instance.mask == nil { throw refuse("has no mask") }
      }
    }
    boxes = objects.map {
      $0.map { Box(x1: $0.box.x1 * x, y1: $0.box.y1 * y, x2: $0.box.x2 * x, y2: $0.box.y2 * y) }
    }
    labels = objects.map { $0.map(\.labelIndex) }
    masks =
      needsMasks
      ? objects.map { $0.map { $0.mask!.resized(height: picture.height, width: picture.width) } } : []
  }
}

extension Mask {
  /// 0 and 1 of the nearest pixels, row by row.
  fileprivate func resized(height: Int, width: Int) -> [Float] {
    Tensor(pixels.map { $0 ? Float(1) : 0 }, shape: [1, 1, self.height, self.width])
      .interpolated(to: [height, width], .nearest).values()
  }
}
