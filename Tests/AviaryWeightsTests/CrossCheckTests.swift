import AviaryTensors
import Foundation
import Testing

@testable import AviaryWeights

/// The Swift half of `tools/reference/weight_crosscheck.py`: converts what Keras wrote, for Keras and torchvision to load again.
@Suite(.enabled(if: CrossCheck.folder != nil, "run by tools/reference/weight_crosscheck.py"))
struct CrossCheckTests {
  @Test(arguments: [
    ("vgg16", "VGG/keras_vgg16"), ("resnet50", "ResNet/keras_resnet"),
    ("mobilenet", "MobileNet/keras_mobilenet"),
  ])
  func converts(_ model: String, map: String) throws {
    let folder = try #require(CrossCheck.folder)
    func path(_ ending: String) -> String { folder.appendingPathComponent(model + ending).path }
    let map = try NameMap(contentsOf: Fixture.repository.appendingPathComponent("zoo/\(map).json").path)
    let ours = try map.imported(try WeightFile.open(path(".keras.weights.h5")).archive)
    let legacy = try map.imported(try WeightFile.open(path(".keras.h5")).archive)
    #expect(ours.unmatched.isEmpty && legacy.unmatched.isEmpty)
    #expect(areIdentical(ours.archive, legacy.archive))
    try WeightFile.write(ours.archive, to: path(".ours.safetensors"), as: .portable)
    let back = try map.exported(try WeightFile.open(path(".ours.safetensors")).archive)
    #expect(back.unmatched.isEmpty)
    try WeightFile.write(back.archive, to: path(".ours.h5"), as: .kerasWeights)
    try WeightFile.write(back.archive, to: path(".ours.weights.h5"), as: .kerasPaths)
    try WeightFile.write(ours.archive, to: path(".ours.npz"), as: .npz)
  }
}

private enum CrossCheck {
  static let folder = ProcessInfo.processInfo.environment["AVIARY_CROSSCHECK"].map {
    URL(fileURLWithPath: $0)
  }
}
