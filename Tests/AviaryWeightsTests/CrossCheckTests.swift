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
    let map = try Fixture.nameMap(map)
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

  /// Every element type, for h5py; bfloat16 also as Keras keeps it.
  @Test func writesEveryType() throws {
    let folder = try #require(CrossCheck.folder)
    let types: [DType] = [.float32, .float16, .bfloat16, .int32, .int64, .uint8, .bool]
    let archive = try WeightArchive(types.map { ("\($0)/kernel", ramp([5], start: 8).cast(to: $0)) })
    try WeightFile.write(archive, to: folder.appendingPathComponent("types.h5").path, as: .kerasWeights)
    for (name, format) in [
      ("bfloat16.weights.h5", WeightFormat.kerasPaths), ("bfloat16_model.h5", .kerasWeights),
    ] {
      let archive = try WeightFile.open(Fixture.path(name)).archive
      try WeightFile.write(archive, to: folder.appendingPathComponent(name).path, as: format)
    }
  }
}

private enum CrossCheck {
  static let folder = ProcessInfo.processInfo.environment["AVIARY_CROSSCHECK"].map {
    URL(fileURLWithPath: $0)
  }
}
