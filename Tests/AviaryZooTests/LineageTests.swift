import AviaryLayers
import AviaryTensors
import AviaryTraining
import AviaryVision
import TestSupport
import Testing

@testable import AviaryZoo

/// The detectors before Faster R-CNN, on regions that are given.
@Suite("R-CNN and Fast R-CNN")
struct LineageTests {
  private let generator = SceneGenerator(width: 64, height: 64)

  /// A scene's values 1×3×64×64 around 0, and its objects with labels from 1.
  private func scene(_ index: Int) throws -> (picture: Tensor, objects: [Instance]) {
    let scenes = RenumberedObjects(ScenePictures(generator, count: index + 1), from: 1)
    let scene = try scenes.picture(index)
    let plane = 64 * 64
    let values = (0..<3 * plane).map { Float(scene.image.pixels[3 * ($0 % plane) + $0 / plane]) / 127.5 - 1 }
    return (Tensor(values, shape: [1, 3, 64, 64]), scene.instances)
  }

  @Test("R-CNN classifies what a classifier sees of a region with its surroundings, stretched")
  func warped() throws {
    let classifier = withRandomSeed(1) { TinyResNet(classes: 4) }
    let network = RCNN(classifier, side: 32, context: 0)
    let (picture, _) = try scene(0)
    // Of the size of the input, a region is what it is.
    let region = Box(x1: 8, y1: 16, x2: 40, y2: 48)
    let cut = picture.sliced(2, 16..<48).sliced(3, 8..<40)
    #expect(relativeDifference(network.warped(picture, [region]), cut) < 1e-6)
    #expect(relativeDifference(network(picture, regions: [region]), classifier(cut)) < 1e-6)
    // With four pixels around it: those are of the picture, too.
    let wide = RCNN(classifier, side: 32, context: 4)
    let inner = Box(x1: 12, y1: 20, x2: 36, y2: 44)
    #expect(relativeDifference(wide.warped(picture, [inner]), cut) < 1e-5)
    // Beside the picture there is nothing.
    let corner = network.warped(picture, [Box(x1: -32, y1: -32, x2: 0, y2: 0)]).values()
    #expect(corner.prefix(31 * 32).allSatisfy { $0 == 0 })
    #expect(network(picture, regions: [region, inner]).shape == [2, 4])
  }

  @Test("R-CNN learns what the regions of a scene are")
  func classified() throws {
    let count = generator.classNames.count + 1
    let network = withRandomSeed(2) { RCNN(TinyResNet(classes: count), side: 32, context: 2) }
    let (picture, objects) = try scene(1)
    let labels = Tensor(objects.map { Int64($0.labelIndex) } + [0])
    let regions = objects.map(\.box) + [Box(x1: 0, y1: 0, x2: 6, y2: 6)]
    let optimizer = Adam(learningRate: 3e-3)
    network.train()
    for _ in 0..<25 {
      _ = optimizer.step(network) {
        valueAndGradient(of: network) {
          softmaxCrossEntropy(network(picture, regions: regions), labels: labels)
        }
      }
    }
    let answers = network(picture, regions: regions).argMax().values(of: Int64.self)
    #expect(answers == labels.values(of: Int64.self))
  }

  @Test("Fast R-CNN pools a region's bins from the map of the whole picture, and learns labels and boxes")
  func fast() throws {
    let body = withRandomSeed(3) {
      Sequential(
        Conv2d(3, 16, kernel: 3, stride: 2, padding: 1), Activate(.relu),
        Conv2d(16, 32, kernel: 3, stride: 2, padding: 1), Activate(.relu))
    }
    let count = generator.classNames.count + 1
    let network = withRandomSeed(4) { FastRCNN(body, channels: 32, stride: 4, features: 64, labels: count) }
    let scenes = try (0..<2).map(scene)
    let pictures = concatenate(scenes.map(\.picture), axis: 0)
    let truth = scenes.map(\.objects)
    // Objects a little beside their places, and a corner.
    let regions = truth.map { objects in
      objects.map { Box(x1: $0.box.x1 + 2, y1: $0.box.y1 - 1, x2: $0.box.x2 + 3, y2: $0.box.y2 + 1) }
        + [Box(x1: 0, y1: 0, x2: 7, y2: 7)]
    }
    // A region of all places, seven by seven of them, is the map itself.
    let map = body(pictures)
    let pooled = regionsMaxPooled(
      map, regions: Tensor([0, 0, 0, 24, 24] as [Float], shape: [1, 5]), size: (7, 7), scale: 0.25)
    #expect(relativeDifference(pooled, map.sliced(0, 0..<1).sliced(2, 0..<7).sliced(3, 0..<7)) < 1e-6)

    let optimizer = Adam(learningRate: 3e-3)
    var values: [Float] = []
    for _ in 0..<120 {
      _ = optimizer.step(network) {
        valueAndGradient(of: network) {
          let losses = network.losses(pictures, regions: regions, truth: truth)
          values.append(losses.classifier.item() + losses.boxes.item())
          return losses.classifier + losses.boxes
        }
      }
    }
    #expect(try #require(values.last) < 0.2 * values[0], "\(values[0]) to \(values.last ?? 0)")
    let found = network.found(pictures, regions: regions)
    var row = 0
    for (objects, boxes) in zip(truth, regions) {
      for (object, region) in zip(objects, boxes) {
        #expect(found[row].labelIndex == object.labelIndex)
        #expect(found[row].box.iou(object.box) > region.iou(object.box))
        row += 1
      }
      #expect(found[row].score < 0.5)
      row += 1
    }
  }
}
