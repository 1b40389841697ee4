import AviaryTensors
import Foundation
import Testing

@testable import AviaryWeights

/// Real files from the field, at hand only when `AVIARY_ASSETS` names their folder.
@Suite(.enabled(if: Fixture.assets != nil, Fixture.noAssets)) struct AssetTests {
  private static let tensorCounts = [
    "charrnn_shakespeare_tf.h5": 7, "faststyle_wave_tf.h5": 48, "lenet_mnist_keras_sam783.h5": 10,
    "mobilenet_2_5_224_tf.h5": 137, "mobilenetv1_025_vww96_mlperftiny.h5": 164,
    "hed_vgg16_bsds500.weights.h5": 38, "resnet8_cifar10_mlperftiny.h5": 48, "retina_unet_drive_best.h5": 22,
    "squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5": 50, "tiny_darknet_imagenet.h5": 77,
  ]

  @Test(arguments: Fixture.assetHDF5Files) func convertsToPortableAndBack(_ name: String) throws {
    let original = try WeightFile.open(Fixture.asset(name))
    #expect(original.archive.count == Self.tensorCounts[name] ?? original.archive.count)
    #expect(original.description.tensors.count == original.archive.count)
    try withTemporaryFolder { folder in
      let portable = folder.appendingPathComponent("a.safetensors").path
      try WeightFile.write(original.archive, to: portable, as: .portable)
      #expect(try SafetensorsFile.verify(portable))
      let converted = try WeightFile.open(portable).archive
      #expect(areIdentical(converted, original.archive))
      #expect(converted.keras == original.archive.keras)
      guard original.archive.keras != nil else { return }
      let format = original.format == .kerasPaths ? WeightFormat.kerasPaths : .kerasWeights
      let back = folder.appendingPathComponent(format == .kerasPaths ? "back.weights.h5" : "back.h5").path
      try WeightFile.write(converted, to: back, as: format)
      let again = try WeightFile.open(back).archive
      #expect(areIdentical(again, original.archive))
      #expect(again.keras?.layers.map(\.weights) == original.archive.keras?.layers.map(\.weights))
    }
  }

  @Test(arguments: [
    ("mobilenet_2_5_224_tf.h5", "MobileNet/keras_mobilenet"),
    ("lenet_mnist_keras_sam783.h5", "LeNet/keras_lenet"),
  ])
  func mapsThereAndBack(_ name: String, map: String) throws {
    let map = try Fixture.nameMap(map)
    let original = try WeightFile.open(Fixture.asset(name)).archive
    let ours = try map.imported(original)
    #expect(ours.unmatched.isEmpty)
    #expect(ours.archive.count == original.count)
    let back = try map.exported(ours.archive)
    #expect(back.unmatched.isEmpty)
    #expect(areIdentical(back.archive, try original.withCanonicalKerasNames()))
  }

  @Test func squeezeNetsOddNamesBecomeKernels() throws {
    let archive = try WeightFile.open(Fixture.asset("squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5"))
      .archive
    let names = try archive.withCanonicalKerasNames().names
    #expect(names.allSatisfy { $0.hasSuffix("/kernel") || $0.hasSuffix("/bias") })
    #expect(names.contains("fire2/squeeze1x1/kernel"))
  }

  @Test(arguments: [
    ("damaged/yolov5n.truncated.pt", "truncated: the zip file has no directory"),
    ("damaged/resnet18-5c106cde.truncated.pth", "tar"),
  ])
  func damagedCheckpointsAreRefused(_ name: String, message: String) throws {
    let error = #expect(throws: WeightsError.self) { try WeightFile.open(Fixture.asset(name)) }
    #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
  }

  /// Every name, shape, type and bit is what PyTorch loads; see `tools/reference/checkpoint_digests.py`.
  @Test(arguments: Fixture.assetCheckpoints) func readsCheckpointsAsPyTorchDoes(_ name: String) throws {
    let expected = try #require(try Fixture.checkpointDigests()[name])
    let archive = try WeightFile.open(Fixture.asset(name)).archive
    #expect(archive.count == expected.tensors)
    let digest = Digest()
    for (name, tensor) in archive.entries {
      let line = "\(name) \(tensor.dtype) \(tensor.shape.map(String.init).joined(separator: " "))\n"
      Array(line.utf8).withUnsafeBytes { digest.update($0) }
      tensor.withUnsafeBytes { digest.update($0) }
    }
    #expect(digest.finished() == expected.sha256)
    try withTemporaryFolder { folder in
      let portable = folder.appendingPathComponent("a.safetensors").path
      try WeightFile.write(archive, to: portable, as: .portable)
      #expect(try SafetensorsFile.verify(portable))
      let converted = try WeightFile.open(portable).archive
      #expect(areIdentical(converted, archive))
      #expect(converted.metadata == archive.metadata)
    }
  }

  @Test func readsTheReferenceTensors() throws {
    let assets = try #require(Fixture.assets)
    let path = assets.appendingPathComponent("data/reference_torch.safetensors").path
    #expect(try !WeightFile.open(path).archive.isEmpty)
  }
}
